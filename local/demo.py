"""The demo scenario: one review on its way through the whole product, told as it happens, and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from local.inspection import Inspection
from local.processes import StackError
from local.waiting import eventually
from loyalty.domain.ledger.entry import DeliveryState

if TYPE_CHECKING:
    from local.stack import Stack
    from loyalty.domain.ledger.entry import Entry

CUSTOMER: Final = "sarah.mason@klaviyo-demo.com"
STRANGER: Final = "max.power@klaviyo-demo.com"
REPEATS: Final = 5


def play(stack: Stack) -> None:
    """Play the scenario and print what both sides know at its end.

    Raises:
        StackError: something is not as promised, or the stack talks to a Klaviyo that cannot be looked into.
    """
    if not stack.klaviyo.is_fake:
        raise StackError("The demo looks at both sides, and into the fake Klaviyo only; use `make local` with another.")
    scene = _Scene(stack, Inspection(stack.klaviyo.url))
    event_id, review_key = scene.review_arrives()
    entry = scene.review_is_decided(review_key)
    scene.balance_is_there(entry)
    scene.klaviyo_hears_of_it(entry)
    scene.repeats_change_nothing(event_id)
    scene.unverified_review_earns_nothing()
    print("\nAll as promised.\n", flush=True)


@dataclass(frozen=True)
class _Scene:
    stack: Stack
    klaviyo: Inspection

    def review_arrives(self) -> tuple[str, str]:
        """A customer submits a review and Klaviyo delivers it; the ids of its event and of the review."""
        submitted = self.klaviyo.post("/reviews", email=CUSTOMER, author="Sarah M", rating=5, verified=True)
        review = submitted["event"]["properties"]
        _title("A customer writes a review; Klaviyo delivers it, signed")
        _tell(customer=CUSTOMER, rating=review["review_rating"], verified=review["review_verified"])
        delivery = eventually("delivery of the review", lambda: self._delivered(submitted["event"]["id"]))
        attempt = delivery["attempts"][-1]
        _tell(
            request=f"POST {self.stack.description.api_url}/webhooks/klaviyo/{self.stack.description.program}",
            signature=attempt["headers"]["Klaviyo-Signature"],
            answer=f"{attempt['status']} {attempt['body']}",
        )
        return submitted["event"]["id"], submitted["review"]["id"]

    def review_is_decided(self, review_key: str) -> Entry:
        """The worker turns it into a journal entry."""
        (entry,) = eventually("journal entry for the review", lambda: self.stack.records.journal(CUSTOMER))
        decision = eventually("decision on the review", lambda: self.stack.records.decision(review_key))
        _title("The decision, as the merchant is told when asking why")
        _tell(review=decision.review_key, decision=decision.outcome, points=decision.points, way=decision.way)
        rule = self.stack.records.program().review_rule
        _expect(entry.points == rule.points, f"{rule.points} points, as the rule says")
        _title("The journal entry")
        _tell(
            entry=entry.id,
            posting=f"#{entry.seq} {entry.kind.value} {entry.points:+d} points",
            reason=entry.private.reason if entry.private else "",
            source=f"{entry.source.kind} {entry.source.id}",
            hash=entry.hash,
        )
        return entry

    def balance_is_there(self, entry: Entry) -> None:
        """The member item agrees with the journal."""
        member = self.stack.records.member(CUSTOMER)
        _expect(member is not None and member.amounts == entry.after, "a balance that agrees with the journal")
        if member is not None:
            _title("The balance")
            lots = ", ".join(f"{points} (expiry: {day})" for day, points in member.lots.items())
            _tell(member=member.member_id, state=member.standing.value, available=member.amounts.available, lots=lots)

    def klaviyo_hears_of_it(self, entry: Entry) -> None:
        """Klaviyo has one event and the profile, and the outbox knows."""
        event = eventually("event in Klaviyo", lambda: self.klaviyo.our_events(CUSTOMER))[0]
        _expect(event["properties"]["$event_id"] == entry.id, "an event whose $event_id is the entry")
        _title("The event, as Klaviyo holds it")
        _tell(metric=event["metric"], time=event["time"], **event["properties"])
        profile = eventually("balance on the profile in Klaviyo", lambda: self._profile(entry.after.available))
        _title("The profile, as Klaviyo holds it")
        _tell(email=profile["email"], **profile["properties"])
        eventually("mark that the event was sent", lambda: self._delivery() is DeliveryState.SENT)
        _title("The outbox")
        _tell(event=self._delivery().value, profile="sent")

    def repeats_change_nothing(self, event_id: str) -> None:
        """The same delivery again, several times."""
        webhook = self.stack.description.webhook_id
        sent = self.klaviyo.post(f"/webhooks/{webhook}/deliver", event_ids=[event_id], times=REPEATS)
        eventually("end of every repeat", lambda: self.stack.worked_off("ReviewsQueue"))
        journal, events = self.stack.records.journal(CUSTOMER), self.klaviyo.our_events(CUSTOMER)
        _expect(len(journal) == len(events) == 1, "one journal entry and one event")
        _title(f"The same delivery {REPEATS} times more")
        _tell(answers=[answer["status"] for answer in sent["answers"]], journal=len(journal), events=len(events))

    def unverified_review_earns_nothing(self) -> None:
        """A refusal is recorded with its reason."""
        submitted = self.klaviyo.post("/reviews", email=STRANGER, author="Max P", rating=1, verified=False)
        key = submitted["review"]["id"]
        decision = eventually("decision on the unverified review", lambda: self.stack.records.decision(key))
        _expect(decision.code == "not_verified", "a refusal for the reason not_verified")
        _title("A review that Klaviyo does not mark as verified")
        _tell(customer=STRANGER, decision=f"{decision.outcome}: {decision.code}", message=decision.message)

    def _delivered(self, event_id: str) -> dict[str, Any] | None:
        deliveries: list[dict[str, Any]] = self.klaviyo.get("/deliveries")["deliveries"]
        return next(
            (each for each in deliveries if event_id in each["event_ids"] and each["state"] == "delivered"), None
        )

    def _profile(self, balance: int) -> dict[str, Any] | None:
        profile = self.klaviyo.profile(CUSTOMER)
        return profile if profile and profile["properties"].get("loyalty_points_balance") == balance else None

    def _delivery(self) -> DeliveryState:
        return self.stack.records.journal(CUSTOMER)[0].delivery.state


def _expect(kept: bool, promise: str) -> None:
    if not kept:
        raise StackError(f"The demo expected {promise}, and found something else.")


def _title(text: str) -> None:
    print(f"\n{text}", flush=True)


def _tell(**facts: Any) -> None:
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"    {name.ljust(width)}  {value}")
