"""Reads what `sam build` made: the functions of the built template, and how to call one of them."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

BARE = Path(__file__).with_name("bare.py")
LAYERS = ("DependenciesLayer", "LoyaltyLayer")


@dataclass(frozen=True)
class Function:
    """One built function: its name in the tree, its folder, and the names of its environment variables."""

    name: str
    logical_id: str
    folder: Path
    variables: frozenset[str]


@dataclass(frozen=True)
class Result:
    """What a call in a bare interpreter gave: the handler's answer, the files it loaded, what it logged."""

    answer: Any
    files: tuple[Path, ...]
    log: str


def source_name(logical_id: str) -> str:
    """Return the folder under functions/ of a logical id: ReviewWebhookFunction lives in review_webhook."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in logical_id)
    return words.removeprefix("_").removesuffix("_function")


def functions_of(built: Path) -> list[Function]:
    """Return every function of a template, built or not, that lies in the folder."""
    template = cfn_yaml.load(str(built / "template.yaml"))
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    functions = []
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            own = properties.get("Environment", {}).get("Variables", {})
            folder = built / properties["CodeUri"]
            name = source_name(logical_id)
            functions.append(Function(name, logical_id, folder, frozenset(shared) | frozenset(own)))
    return functions


def call(interpreter: Path, function: Function, event: object, values: dict[str, str]) -> Result:
    """Call a built function in a bare interpreter: no site-packages, no inherited environment.

    Byte code is kept outside the artifacts, which are about to be deployed and must not change.

    Args:
        interpreter: one that has the version the artifacts were built for.
        function: the function to call.
        event: what the handler gets.
        values: environment variables; each one that the template gives the function must be among them.

    Raises:
        AssertionError: the interpreter ended with an error; the message is what it printed.
    """
    bytecode = function.folder.parents[1] / "bytecode"
    path = [function.folder, *(function.folder.parent / layer / "python" for layer in LAYERS)]
    environment = {name: values[name] for name in sorted(function.variables)}
    environment |= {name: value for name, value in values.items() if name.startswith("AWS_")}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, path))
    done = subprocess.run(
        [interpreter, "-P", "-S", "-X", f"pycache_prefix={bytecode}", BARE],
        input=json.dumps(event),
        env=environment,
        cwd=function.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{function.name} ended with {done.returncode}:\n{done.stderr}"
    report = json.loads(done.stdout)
    return Result(report["answer"], tuple(map(Path, report["files"])), done.stderr)
