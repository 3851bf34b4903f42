"""The spec language: YAML as written, before any of it is given a meaning."""
