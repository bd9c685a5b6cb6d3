"""What every Python file of the project keeps to."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import FUNCTIONS, Source, everything, shipped, sources

MOST_LINES = 500
MOST_HANDLER_LINES = 80
LOG_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "append_keys"})
# What no log line may carry: whole messages, personal data, secrets. Identifiers and reasons are enough.
NEVER_LOGGED = frozenset(
    {
        "access_token",
        "api_key",
        "authorization",
        "body",
        "client_secret",
        "code_verifier",
        "credentials",
        "email",
        "event",
        "first_name",
        "headers",
        "last_name",
        "payload",
        "phone",
        "phone_number",
        "raw_body",
        "refresh_token",
        "secret",
        "secrets",
        "signature",
        "token",
    }
)


def receiver_of(call: ast.Call) -> str:
    """Return the last name of what a method is called on: `logger` for `self.logger.info()`."""
    if not isinstance(call.func, ast.Attribute):
        return ""
    owner = call.func.value
    if isinstance(owner, ast.Call):
        owner = owner.func
    return owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""


def is_log_call(node: ast.AST) -> bool:
    """Tell whether the node writes a log line, or adds a field to all that follow."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LOG_METHODS
        and "log" in receiver_of(node).lower()
    )


def names_in(node: ast.AST) -> Iterator[str]:
    """Yield every variable, attribute, keyword and literal key below the node."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.keyword) and part.arg:
            yield part.arg
        elif isinstance(part, ast.Dict):
            yield from (key.value for key in part.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def forbidden_logging(source: Source) -> Iterator[str]:
    """Yield each log call that carries something that logs must not hold, or text put together on the spot."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        if any(word.arg == "log_event" and getattr(word.value, "value", True) for word in node.keywords):
            yield f"{source.name}:{node.lineno} logs whole events"
        if is_log_call(node):
            carried = [*node.args, *node.keywords]
            names = {name for part in carried for name in names_in(part)} & NEVER_LOGGED
            yield from (f"{source.name}:{node.lineno} logs {name}" for name in sorted(names))
            if any(isinstance(part, ast.JoinedStr) for part in node.args):
                yield f"{source.name}:{node.lineno} formats its message"


def test_every_module_says_what_it_is_responsible_for() -> None:
    """A module docstring, in tests too; an empty package file has nothing to say."""
    silent = [source.name for source in everything() if source.text.strip() and not ast.get_docstring(source.tree)]
    assert silent == []


def test_no_file_grows_beyond_500_lines() -> None:
    """One idea for each module."""
    long = {source.name: len(source.text.splitlines()) for source in everything()}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_no_log_line_carries_personal_data_secrets_or_whole_messages() -> None:
    """Logs hold ids and reasons: what is in them leaves the table's encryption and its access rules."""
    assert [line for source in shipped() for line in forbidden_logging(source)] == []


@pytest.mark.parametrize(
    "line",
    [
        "logger.info('taken', email=member.address)",
        "logger.info('taken', extra={'token': value})",
        "self._log.warning('refused', reason=str(payload))",
        "get_logger().error(f'refused {slug}')",
        "logger.inject_lambda_context(log_event=True)",
        "logger.append_keys(secret=value)",
    ],
)
def test_forbidden_logging_is_recognised(line: str) -> None:
    """The rule above sees each way in which such a value gets into a line."""
    assert list(forbidden_logging(Source(Path("planted.py"), line))) != []


@pytest.mark.parametrize(
    "line", ["logger.info('taken', review_id=review.id)", "math.log(body)", "client.post(body=payload)"]
)
def test_other_calls_are_not_taken_for_logging(line: str) -> None:
    """The rule leaves identifiers, and calls that log nothing, alone."""
    assert list(forbidden_logging(Source(Path("planted.py"), line))) == []


def test_a_handler_decides_nothing() -> None:
    """No try and no size to speak of: errors and decisions have their place in the package."""
    for source in sources(FUNCTIONS):
        assert source.path.name == "app.py", f"{source.name}: one file for each function"
        assert len(source.text.splitlines()) <= MOST_HANDLER_LINES, source.name
        attempts = [node.lineno for node in ast.walk(source.tree) if isinstance(node, ast.Try)]
        assert attempts == [], f"{source.name} catches errors in lines {attempts}"


def test_a_handler_file_defines_the_handler() -> None:
    """The template's handler string is app.lambda_handler for every function."""
    for source in sources(FUNCTIONS):
        defined = {node.name for node in source.tree.body if isinstance(node, ast.FunctionDef)}
        assigned = {
            target.id
            for node in source.tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        assert "lambda_handler" in defined | assigned, source.name
