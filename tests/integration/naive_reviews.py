"""What reviews are worth in the end, as a merchant would explain it: a model that shares nothing with the rule."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Told:
    """One message about a review, as the world sent it: what it tells, and the status at that time."""

    review: str
    member: str
    written: datetime
    product: str
    has_text: bool
    has_media: bool
    verified: bool
    status: str
    status_at: datetime
    is_import: bool = False
    is_usable: bool = True


@dataclass(frozen=True)
class Rules:
    """The settings that the model knows. ``a_month`` and ``a_product`` are limits, None for none."""

    connected_at: datetime
    points: int = 50
    text_points: int = 0
    media_points: int = 0
    verified_only: bool = True
    on_publication: bool = False
    a_month: int | None = None
    a_product: int | None = None


@dataclass
class Known:
    """What is known of a review so far, and what it has brought."""

    worth: int = 0
    status: str = ""
    status_at: datetime | None = None
    was_public: bool = False
    paid: int = 0


@dataclass
class Shop:
    """Hears messages one by one."""

    rules: Rules
    reviews: dict[str, Known] = field(default_factory=lambda: defaultdict(Known))
    places: dict[str, dict[str, Told]] = field(default_factory=lambda: defaultdict(dict))
    awards: int = 0
    taken_back: int = 0

    def hears(self, told: Told) -> None:
        """Take a message in."""
        if not told.is_usable:
            return
        known = self.reviews[told.review]
        known.worth = max(known.worth, self._worth(told))
        if told.status:
            known.was_public = known.was_public or told.status in ("published", "featured")
            if known.status_at is None or told.status_at > known.status_at:
                known.status, known.status_at = told.status, told.status_at
        stands = bool(known.worth) and known.status != "rejected"
        if stands and not known.paid:
            public = known.was_public or not self.rules.on_publication
            if public and self._has_room(told):
                known.paid = known.worth
                self.places[told.member][told.review] = told
                self.awards += 1
        elif stands:
            known.paid = known.worth
        elif known.paid:
            known.paid = 0
            self.taken_back += 1

    def _worth(self, told: Told) -> int:
        rules = self.rules
        if told.written < rules.connected_at and not told.is_import:
            return 0
        if rules.verified_only and not told.verified:
            return 0
        return rules.points + rules.text_points * told.has_text + rules.media_points * told.has_media

    def _has_room(self, told: Told) -> bool:
        """Places are taken for good: who had points taken back does not write the next review instead."""
        if told.review in self.places[told.member]:
            return True
        others = self.places[told.member].values()
        same_month = [each for each in others if each.written.strftime("%Y%m") == told.written.strftime("%Y%m")]
        same_product = [each for each in others if each.product == told.product]
        month, product = self.rules.a_month, self.rules.a_product
        return (month is None or len(same_month) < month) and (product is None or len(same_product) < product)
