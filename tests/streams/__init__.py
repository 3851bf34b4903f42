"""Streams of change: what hypothesis invents, where it is played, and what must hold of the tables afterwards."""
