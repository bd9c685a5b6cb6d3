"""Functional core: the rules of the program. Standard library only; no I/O, no clock, no logging."""
