"""Seeded defects in the generated SQL: each must turn a test of the suite red. Run by `make mutations`."""
