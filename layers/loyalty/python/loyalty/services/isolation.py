"""Sending many events when one of them is bad: find it, and deliver the rest.

A bulk request is taken or refused as a whole. Klaviyo may refuse one for an event that it would take alone: its own
documents disagree about a ``unique_id`` it has stored already. So nothing counts as refused before it was sent alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from loyalty.domain.klaviyo_errors import KlaviyoRefused
from loyalty.domain.telling import MetricEvent
from loyalty.ports import KlaviyoApi

Outcome = tuple[MetricEvent, str]
"""An event with Klaviyo's reason against it, or "" once Klaviyo has it."""

FEW = 8
"""Events of a refused request that are sent one by one: Klaviyo takes 23 times as many single calls a minute."""


def outcomes(
    api: KlaviyoApi, events: Sequence[MetricEvent], before_call: Callable[[], None]
) -> Iterator[list[Outcome]]:
    """Send all events; yield what became of them, call by call.

    What a call settles is yielded before the next call. ``before_call`` may raise to stop in between; like an error
    of Klaviyo's that passes, that leaves the rest unsettled.

    Raises:
        KlaviyoUnavailable, Misconfigured: as the port says.
    """
    waiting = deque([list(events)] if events else [])
    while waiting:
        batch = waiting.popleft()
        before_call()
        try:
            taken = api.send_events(batch)
        except KlaviyoRefused as refused:
            request, rest = batch[: refused.considered], batch[refused.considered :]
            suspects, others = _divided(request, refused.items)
            if rest:
                waiting.appendleft(rest)
            waiting.extendleft(part for part in reversed(others) if part)
            yield from _one_by_one(api, suspects, before_call)
        else:
            yield [(event, "") for event in batch[:taken]]
            if batch[taken:]:
                waiting.appendleft(batch[taken:])


def _divided(request: list[MetricEvent], named: Sequence[int]) -> tuple[list[MetricEvent], list[list[MetricEvent]]]:
    """Divide a refused request into events to send alone and groups to send again."""
    if named:
        at_fault = set(named)
        others = [event for position, event in enumerate(request) if position not in at_fault]
        return [request[position] for position in sorted(at_fault)], [others]
    if len(request) <= FEW:
        return request, []
    half = len(request) // 2
    return [], [request[:half], request[half:]]


def _one_by_one(
    api: KlaviyoApi, events: Sequence[MetricEvent], before_call: Callable[[], None]
) -> Iterator[list[Outcome]]:
    for event in events:
        before_call()
        try:
            api.send_event(event)
        except KlaviyoRefused as refused:
            yield [(event, refused.reason)]
        else:
            yield [(event, "")]
