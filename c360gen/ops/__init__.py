"""Operations: what to do, before any engine says how. Frozen data that holds sqlglot trees."""
