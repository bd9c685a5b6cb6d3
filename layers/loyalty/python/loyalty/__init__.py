"""The loyalty ledger: the one copy of the code that all functions and the operator's command line share.

Arrows point inward: ``runtime`` -> ``adapters`` | ``services`` -> ``ports`` | ``contracts`` -> ``domain``.
"""
