"""Inspection: starting over, switches, faults, time."""

from typing import Any

from local.fake_klaviyo import lifecycle
from local.fake_klaviyo.faults import Fault
from local.fake_klaviyo.inspection.routes import Ask, InspectionError, Route
from local.fake_klaviyo.seed import Seed
from local.fake_klaviyo.switches import Switches


def _health(ask: Ask) -> Any:
    return {"status": "ok", "now": ask.services.clock.now(), "elapsed": ask.services.clock.elapsed()}


def _reset(ask: Ask) -> Any:
    lifecycle.reset(ask.services, Seed.model_validate(ask.body) if ask.body else None)
    return {"accounts": list(ask.services.world.accounts)}


def _switches(ask: Ask) -> Any:
    return ask.services.switches.model_dump()


def _set_switches(ask: Ask) -> Any:
    merged = Switches.model_validate({**ask.services.switches.model_dump(), **ask.body})
    with ask.services.world.lock:
        for name, value in merged:
            setattr(ask.services.switches, name, value)
    return _switches(ask)


def _faults(ask: Ask) -> Any:
    return {"faults": [armed.document() for armed in ask.services.faults.armed()]}


def _add_fault(ask: Ask) -> Any:
    return ask.services.faults.add(Fault.model_validate(ask.body)).document()


def _clear_faults(ask: Ask) -> Any:
    ask.services.faults.clear()
    return {}


def _clear_fault(ask: Ask) -> Any:
    ask.services.faults.clear(int(ask.params["id"]))
    return {}


def _advance(ask: Ask) -> Any:
    seconds = ask.body.get("seconds")
    if not isinstance(seconds, int | float) or seconds < 0:
        raise InspectionError("'seconds' must be a number, zero or more")
    lifecycle.advance(ask.services, seconds)
    return _health(ask)


ROUTES = (
    Route("GET", "/_fake/health", "is it up, and what time is it there", _health),
    Route("POST", "/_fake/reset", "forget everything; with a body, start from that seed", _reset),
    Route("GET", "/_fake/switches", "all switches", _switches),
    Route("PATCH", "/_fake/switches", "change switches", _set_switches),
    Route("GET", "/_fake/faults", "faults with what is left of them", _faults),
    Route("POST", "/_fake/faults", "arm a fault", _add_fault),
    Route("DELETE", "/_fake/faults", "disarm all faults", _clear_faults),
    Route("DELETE", "/_fake/faults/<id>", "disarm one fault", _clear_fault),
    Route("POST", "/_fake/clock/advance", "let {seconds} of Klaviyo time pass at once", _advance),
)
