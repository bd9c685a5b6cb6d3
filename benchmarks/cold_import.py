"""What a cold start imports and builds, function by function, against the least any function of the kind must import.

The yardstick is ``import boto3`` and one client. Both run in fresh interpreters, in turn, and the least processor time
of several tries counts, so that what else the machine does stays out of it. Beside each function stands what the
packages alone cost that its kind is built on, pydantic and Powertools: what is above that is ours.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.result import Result
from tests.architecture.template import functions, template

ROOT = Path(__file__).resolve().parents[1]
TRIES = 7
GOAL = 1.3
YARDSTICK = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"
PACKAGES = f"""
from pydantic import BaseModel, Field
from aws_lambda_powertools import Logger, Metrics
Logger(service="benchmark"), Metrics(service="benchmark", namespace="benchmark")
{YARDSTICK}
"""
HTTP = f"{PACKAGES}\nfrom aws_lambda_powertools.event_handler import APIGatewayRestResolver\nAPIGatewayRestResolver()"
ARN = "arn:aws:service:eu-central-1:000000000000:name"
URL = "https://service.eu-central-1.amazonaws.com/000000000000/name"


def results() -> Iterator[Result]:
    """Every function's handler, imported as Lambda does."""
    snippets = {"": YARDSTICK, "packages": PACKAGES, "http": HTTP} | {
        function.folder: f"import functions.{function.folder}.app" for function in functions()
    }
    variables = {name for function in functions() for name in function.variables}
    everywhere = template()["Globals"]["Function"]["Environment"]["Variables"]
    environment = {name: URL if name.endswith("URL") else ARN for name in variables} | {
        **{name: value for name, value in everywhere.items() if isinstance(value, str)},
        "AWS_REGION": "eu-central-1",
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "loyalty" / "python")]),
    }
    least = dict.fromkeys(snippets, float("inf"))
    for _ in range(TRIES):
        for name, snippet in snippets.items():
            least[name] = min(least[name], _seconds(snippet, environment))
    yardstick = least.pop("")
    floors = {True: least.pop("http"), False: least.pop("packages")}
    for function in functions():
        seconds, floor = least[function.folder], floors[bool(function.events("Api"))]
        yield Result(
            name=f"cold_import_{function.folder}",
            value=round(seconds / yardstick, 2),
            unit="of importing boto3 and making one client",
            goal=GOAL,
            better="lower",
            detail=f"{seconds * 1000:.0f} ms of processor time, boto3 with one client {yardstick * 1000:.0f} ms; "
            f"{floor / yardstick:.2f} for pydantic and Powertools alone",
        )


def _seconds(snippet: str, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", snippet], env=environment, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
