"""The operator's command line: the shared code of the functions, from a terminal, against AWS or a local stack."""
