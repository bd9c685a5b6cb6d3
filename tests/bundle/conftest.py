"""The builds, and something on loopback that answers in the place of AWS."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from cfnlint.decode import cfn_yaml
from moto.server import ThreadedMotoServer

from tests.bundle.artifacts import functions_of
from tests.bundle.building import (
    DEPLOYED_ARCHITECTURE,
    DEPLOYED_VERSION,
    ROOT,
    Target,
    build,
    host_architecture,
    host_version,
    interpreter_of,
)

REGION = "us-east-1"


def build_or_skip(target: Target) -> Path:
    """Build the target, or skip the test when this machine has no interpreter for it."""
    if interpreter_of(target.version) is None:
        pytest.skip(f"no python{target.version} (with pip) on PATH")
    return build(target)


@pytest.fixture(scope="session", params=sorted({host_version(), DEPLOYED_VERSION}))
def runnable(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """Artifacts that this machine can run, with their interpreter: for the tests' version, for AWS's."""
    target = Target(request.param, host_architecture())
    artifacts = build_or_skip(target)
    interpreter = interpreter_of(target.version)
    assert interpreter is not None
    return artifacts, interpreter


@pytest.fixture(scope="session")
def deployable() -> Path:
    """The artifacts that AWS gets: what `sam build` makes without any parameter."""
    return build_or_skip(Target(DEPLOYED_VERSION, DEPLOYED_ARCHITECTURE))


SETTINGS = {
    # Nobody listens there: what asks Klaviyo must say so in its answer and not break.
    "KLAVIYO_BASE_URL": "http://127.0.0.1:9",
    "LOG_LEVEL": "INFO",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}


class Account:
    """An empty AWS account on loopback, and what of it each environment variable names."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def value_of(self, variable: str) -> str:
        """Return what the template would put into the variable; resources are made for it.

        Raises:
            LookupError: nothing is known of such a variable; say here what its value is.
        """
        name = f"bundle-{secrets.token_hex(4)}"
        match variable:
            case "TABLE_NAME":
                return self._table(name)
            case "CREDENTIALS_KEY_ID":
                return str(self._client("kms").create_key()["KeyMetadata"]["Arn"])
            case "KLAVIYO_BASE_URL" | "LOG_LEVEL" | "PYDANTIC_DISABLE_PLUGINS":
                return SETTINGS[variable]
            case _ if variable.endswith("_QUEUE_URL"):
                return str(self._client("sqs").create_queue(QueueName=name)["QueueUrl"])
            case _ if variable.endswith("_TOPIC"):
                return str(self._client("sns").create_topic(Name=name)["TopicArn"])
            case _ if variable.endswith(("_SECRET", "_KEY")):
                return str(self._client("secretsmanager").create_secret(Name=name, SecretString="{}")["ARN"])
            case _ if variable.startswith("POWERTOOLS_"):
                return "bundle"
        raise LookupError(f"tests/bundle does not know what {variable} holds")

    def _client(self, service: Literal["dynamodb", "kms", "secretsmanager", "sns", "sqs"]) -> Any:
        return boto3.client(service, endpoint_url=self._endpoint, region_name=REGION)

    def _table(self, name: str) -> str:
        template = cfn_yaml.load(str(ROOT / "template.yaml"))
        table = template["Resources"]["Table"]["Properties"]
        kept = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        self._client("dynamodb").create_table(TableName=name, **{key: table[key] for key in kept})
        return name


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """Values for every environment variable that the template gives to any function, and AWS's own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    aws = {
        "AWS_ACCESS_KEY_ID": "bundle",
        "AWS_SECRET_ACCESS_KEY": "bundle",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_NAME": "bundle",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, aws[name])
        account = Account(aws["AWS_ENDPOINT_URL"])
        variables = frozenset[str]().union(*(function.variables for function in functions_of(ROOT)))
        values = {variable: account.value_of(variable) for variable in sorted(variables)}
    yield {**values, **aws}
    server.stop()
