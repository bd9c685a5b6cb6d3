"""Members in each standing, brought there by the commands that do so."""

from __future__ import annotations

from loyalty.domain.ledger.commands import Erase, Identify, MergeOut
from loyalty.domain.ledger.member import Standing
from tests.journey import Journey


def in_standing(standing: Standing, journey: Journey | None = None) -> Journey:
    """The journey of a member, a new one unless given, that ends in this standing."""
    sarah = journey or Journey()
    match standing:
        case Standing.ERASED:
            sarah.does(Erase())
        case Standing.MERGED:
            sarah.does(MergeOut("bill"))
        case _:
            sarah.does(Identify(standing=standing))
    assert sarah.member.standing is standing
    return sarah
