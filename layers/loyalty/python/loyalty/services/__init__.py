"""Use cases: one module per verb. They talk to ports only."""
