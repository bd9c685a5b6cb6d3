"""Faults on demand: what goes wrong with the next calls of an operation."""

import itertools
import threading
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from local.fake_klaviyo.exchange import JsonObject

BODY_OPERATIONS = (
    "create_event",
    "bulk_create_events",
    "create_or_update_profile",
    "bulk_import_profiles",
)


class Match(BaseModel):
    """Picks the item of a request that is bad: the first whose given fields are all equal."""

    model_config = ConfigDict(extra="forbid")

    unique_id: str | None = None
    email: str | None = None
    external_id: str | None = None

    def fits(self, item: JsonObject) -> bool:
        """Whether an item (flat: unique_id, email, external_id) is the one meant."""
        wanted = self.model_dump(exclude_none=True)
        return bool(wanted) and all(item.get(key) == value for key, value in wanted.items())


class Fault(BaseModel):
    """One fault; the first one that fits a call is used.

    kind:
        status: answer `status` (429 with Retry-After) without doing anything.
        hang: take the request, do nothing, stay silent for `seconds`, then close.
        delay: do the work, then answer only after `seconds`.
        reset_before: close the connection, nothing done.
        reset_after: do the work, then close the connection without an answer.
        malformed_body: do the work, then answer with a body that is not JSON.
        bad_item: refuse with 400 naming one item, by `index` or by `match`; with `match`, calls without that
            item pass and do not use the fault up.
        import_error: a bulk job reports the profile that fits `match` as failed.
    """

    model_config = ConfigDict(extra="forbid")

    operation: str = "*"
    kind: Literal[
        "status",
        "hang",
        "delay",
        "reset_before",
        "reset_after",
        "malformed_body",
        "bad_item",
        "import_error",
    ]
    times: int | None = Field(default=1, ge=1)
    """How many calls it hits; null until cleared."""
    account: str | None = None
    status: Literal[400, 401, 403, 404, 409, 410, 413, 429, 500, 502, 503] = 503
    retry_after: int | None = Field(default=None, ge=1)
    """Seconds in the Retry-After header, always sent with 429 (1 when not given) and else when given."""
    detail: str | None = None
    seconds: float = Field(default=60.0, gt=0)
    """Real seconds of silence or delay."""
    index: int = Field(default=0, ge=0)
    match: Match | None = None
    pointer: bool = True
    """Whether a bad_item refusal says which item it was; without, the sender has to find out."""

    @model_validator(mode="after")
    def _check(self) -> "Fault":
        if self.kind == "import_error" and self.match is None:
            raise ValueError("import_error needs a match")
        if self.kind == "bad_item" and self.operation not in BODY_OPERATIONS:
            raise ValueError(f"bad_item needs an operation among {', '.join(BODY_OPERATIONS)}")
        return self


@dataclass
class ArmedFault:
    """A fault with what is left of it."""

    id: int
    fault: Fault
    left: int | None
    hits: int = 0

    def document(self) -> JsonObject:
        """For the inspection API."""
        return {"id": self.id, "left": self.left, "hits": self.hits, **self.fault.model_dump()}


class Faults:
    """The armed faults, in the order they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[ArmedFault] = []
        self._numbers = itertools.count(1)
        self._pauses = threading.Condition()
        self._clearings = 0

    def add(self, fault: Fault) -> ArmedFault:
        """Arm a fault."""
        with self._lock:
            armed = ArmedFault(next(self._numbers), fault, fault.times)
            self._armed.append(armed)
            return armed

    def clear(self, fault_id: int | None = None) -> None:
        """Disarm one fault, or all of them; hanging and delayed calls end."""
        with self._lock:
            self._armed = [a for a in self._armed if fault_id is not None and a.id != fault_id]
        with self._pauses:
            self._clearings += 1
            self._pauses.notify_all()

    def pause(self, seconds: float) -> None:
        """Let a call hang for real seconds, or until faults are cleared."""
        with self._pauses:
            before = self._clearings
            self._pauses.wait_for(lambda: self._clearings > before, seconds)

    def armed(self) -> list[ArmedFault]:
        """What is armed or was used up, oldest first."""
        with self._lock:
            return list(self._armed)

    def take(self, operation: str, account: str, items: list[JsonObject]) -> Fault | None:
        """The fault for this call, if any, counted as used.

        Args:
            operation: The operation's name.
            account: The caller's account, or an empty string before it is known.
            items: The flat items of the body, for `match`.
        """
        with self._lock:
            for armed in self._armed:
                fault = armed.fault
                fits = fault.operation in ("*", operation) and fault.account in (None, account)
                if not fits or armed.left == 0 or fault.kind == "import_error":
                    continue
                if fault.match is not None and not any(fault.match.fits(item) for item in items):
                    continue
                _use(armed)
                return fault
            return None

    def import_error(self, account: str, profile: JsonObject) -> str | None:
        """The injected error for one profile of a bulk job, if any."""
        attributes = profile["attributes"]
        with self._lock:
            for armed in self._armed:
                fault = armed.fault
                if (
                    fault.kind == "import_error"
                    and fault.match is not None
                    and fault.account in (None, account)
                    and armed.left != 0
                    and fault.match.fits(attributes)
                ):
                    _use(armed)
                    return fault.detail or "The profile could not be imported."
            return None


def _use(armed: ArmedFault) -> None:
    armed.hits += 1
    if armed.left is not None:
        armed.left -= 1
