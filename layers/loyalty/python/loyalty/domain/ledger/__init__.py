"""The ledger: what a member has, how it changes, and the journal that proves it.

``decide`` turns (member, command) into a posting or a refusal; ``apply`` folds an entry into a member, and is
the only way a member's state ever comes about, when posting as when replaying.
"""
