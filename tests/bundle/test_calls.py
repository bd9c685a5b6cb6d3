"""Every built function can be imported and called with nothing but its artifacts:
the standard library, the dependency layer and the shared layer are enough for a handler."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.artifacts import LAYERS, Function, call, functions_of

ROOT = Path(__file__).resolve().parents[2]
EVENTS = sorted((ROOT / "events").glob("*/*.json"))


def function_named(built: Path, name: str) -> Function:
    """Return the built function whose source folder has this name."""
    return next(function for function in functions_of(built) if function.name == name)


def assert_well_formed(event: dict[str, Any], answer: Any) -> None:
    """Check the answer against what the event's trigger understands."""
    if "Records" in event:
        known = {record.get("messageId") or record["dynamodb"]["SequenceNumber"] for record in event["Records"]}
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        assert set(failed) <= known
        assert len(failed) == len(set(failed))
    elif "httpMethod" in event:
        assert 200 <= answer["statusCode"] < 500
        named = {name.lower(): values for name, values in answer["multiValueHeaders"].items()}
        if named["content-type"][0].startswith("text/html"):
            assert answer["body"].startswith("<!doctype html>")
        else:
            json.loads(answer["body"])
    else:
        assert answer is None or isinstance(answer, dict)


def test_every_function_has_sample_events(runnable: tuple[Path, Path]) -> None:
    """Adding a function means adding its events; a missing folder would leave it untested here."""
    folders = {path.parent.name for path in EVENTS}
    assert {function.name for function in functions_of(runnable[0])} == folders


@pytest.mark.parametrize("event", EVENTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_sample_event_is_answered_by_the_built_function(
    event: Path, runnable: tuple[Path, Path], environment: dict[str, str]
) -> None:
    """The artifact alone, without site-packages, takes the event and gives a well-formed answer."""
    built, interpreter = runnable
    function = function_named(built, event.parent.name)
    content = json.loads(event.read_text())

    result = call(interpreter, function, content, environment)

    assert_well_formed(content, result.answer)
    standard_library = interpreter.resolve().parents[1]
    bundle = [function.folder, *(built / layer for layer in LAYERS)]
    strangers = [
        file
        for file in result.files
        if not any(file.is_relative_to(folder) for folder in [*bundle, standard_library]) and file.name != "bare.py"
    ]
    assert strangers == []
