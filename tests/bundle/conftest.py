"""The builds, and something on loopback that answers in the place of AWS."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from cfnlint.decode import cfn_yaml
from moto.server import ThreadedMotoServer

from tests.bundle.building import (
    DEPLOYED_ARCHITECTURE,
    DEPLOYED_VERSION,
    Target,
    build,
    host_architecture,
    host_version,
    interpreter_of,
)

REGION = "us-east-1"
QUEUES = ("REVIEWS_QUEUE_URL", "EVENTS_QUEUE_URL", "PROFILES_QUEUE_URL")


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


def create_table(endpoint: str) -> str:
    """Create the template's table and return its name."""
    template = cfn_yaml.load(str(Path(__file__).resolve().parents[2] / "template.yaml"))
    table = template["Resources"]["Table"]["Properties"]
    kept = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    name = f"bundle-{secrets.token_hex(4)}"
    client = boto3.client("dynamodb", endpoint_url=endpoint, region_name=REGION)
    client.create_table(TableName=name, **{key: table[key] for key in kept})
    return name


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """Values for every environment variable that a function may read; AWS is an empty account on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        credentials = {"AWS_ACCESS_KEY_ID": "bundle", "AWS_SECRET_ACCESS_KEY": "bundle"}
        for name, value in credentials.items():
            patch.setenv(name, value)
        queues = boto3.client("sqs", endpoint_url=endpoint, region_name=REGION)
        keys = boto3.client("kms", endpoint_url=endpoint, region_name=REGION)
        yield {
            **credentials,
            **{name: queues.create_queue(QueueName=name)["QueueUrl"] for name in QUEUES},
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_NAME": "bundle",
            "CREDENTIALS_KEY_ID": keys.create_key()["KeyMetadata"]["Arn"],
            # Nobody listens there: what asks Klaviyo must say so in its answer and not break.
            "KLAVIYO_BASE_URL": "http://127.0.0.1:9",
            "LOG_LEVEL": "INFO",
            "POWERTOOLS_METRICS_NAMESPACE": "Tallyhook",
            "POWERTOOLS_SERVICE_NAME": "tallyhook",
            "TABLE_NAME": create_table(endpoint),
        }
    server.stop()
