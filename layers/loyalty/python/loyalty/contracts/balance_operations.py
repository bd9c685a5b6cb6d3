"""Operations of the HTTP API that move points."""

from __future__ import annotations

from loyalty.contracts.adjustments import MOST_ITEMS, AdjustmentForm, AdjustmentsAnswer
from loyalty.contracts.operation import Operation

_ADJUSTMENT = {
    "email": "sarah.mason@klaviyo-demo.com",
    "amount": 100,
    "reason": "Bonus points from Klaviyo flow",
    "idempotency_key": "welcome-01GDDKASAP8TKDDA2GRZDSVP4H",
}


def _adjusting(way: str, summary: str) -> Operation:
    return Operation(
        f"{way}_balance",
        "POST",
        f"/programs/{{slug}}/balance/{way}",
        summary,
        "balance:write",
        AdjustmentsAnswer,
        body=AdjustmentForm,
        items=True,
        headers=("Idempotency-Key", "X-Klaviyo-Flow-ID"),
        details=(
            f"1 to {MOST_ITEMS} adjustments. The whole request is checked first: when anything is wrong, everything "
            "that is wrong is told and nothing happens. Refusals of a business kind are part of a 200. Trouble that "
            "passes is a 503 with Retry-After; send the very same request again then. With idempotency keys that never "
            "counts twice; without them neither, unless an outage takes even the note of what was done."
        ),
        example=[_ADJUSTMENT],
    )


BALANCE_OPERATIONS = (
    _adjusting("increase", "Add points to balances"),
    _adjusting("decrease", "Take points from balances"),
)
