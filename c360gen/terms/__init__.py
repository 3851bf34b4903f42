"""The words that all rooms share: canonical types, and symbols for relations and variables."""
