"""In-memory ports. The contract suites in ``tests/contract`` hold them to what the real adapters do."""
