"""What the specs mean: names resolved, SQL parsed and typed, nodes in order."""
