"""Runs inside a bare interpreter: imports the handler as Lambda does, calls it once, reports.

Reads the event from standard input; writes one line of JSON with the handler's answer and with the files that
Python loaded, so that the test can tell where each module came from. What the handler prints goes elsewhere.
"""

import contextlib
import json
import sys


class Context:
    """The part of Lambda's context object that handlers and Powertools read."""

    function_name = "bundle"
    function_version = "1"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bundle"
    aws_request_id = "00000000-0000-4000-8000-000000000000"
    log_group_name = "/aws/lambda/bundle"
    log_stream_name = "bundle"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return as much time as a function ever has."""
        return 30_000


def main() -> None:
    """Call the handler with the event and report."""
    event = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        import app  # type: ignore[import-not-found]  # noqa: PLC0415

        answer = app.lambda_handler(event, Context())
    files = {module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None)}
    json.dump({"answer": answer, "files": sorted(files)}, sys.stdout)


main()
