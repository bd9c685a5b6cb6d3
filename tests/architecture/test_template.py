"""Promises of template.yaml that no linter knows: what must come with every function, queue, role and alarm."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from loyalty.runtime import settings
from tests.architecture.sources import shipped
from tests.architecture.template import ROOT, Function, functions, listed, names_in, nodes, resources, template

each_function = pytest.mark.parametrize("function", functions(), ids=lambda function: function.folder)
each_http_function = pytest.mark.parametrize(
    "function", [each for each in functions() if each.events("Api")], ids=lambda function: function.folder
)
QUEUES = resources("AWS::SQS::Queue")
ALARMS = resources("AWS::CloudWatch::Alarm")
FORTNIGHT = 14 * 24 * 3600
# AWS offers no resources to limit these to.
UNLIMITABLE = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
# What an access log line may say. Paths, queries, headers and addresses of callers are personal data or can carry it.
LOGGABLE = {
    "error.responseType",
    "extendedRequestId",
    "httpMethod",
    "integration.latency",
    "integration.status",
    "requestId",
    "requestTime",
    "resourcePath",
    "responseLatency",
    "responseLength",
    "status",
}


def dead_letter_queues() -> set[str]:
    """Queues that take what others gave up on."""
    redriven = {name for queue in QUEUES.values() for name in names_in(queue.get("RedrivePolicy"))}
    mappings = [mapping for function in functions() for mapping in function.events("DynamoDB")]
    schedules = [schedule for function in functions() for schedule in function.events("ScheduleV2")]
    handed_over = {name for mapping in mappings for name in names_in(mapping["DestinationConfig"]["OnFailure"])}
    return redriven | handed_over | {name for each in schedules for name in names_in(each["DeadLetterConfig"])}


def alarms_on(metric: str) -> set[str]:
    """Resources that an alarm watches by this metric."""
    watching = [alarm for alarm in ALARMS.values() if alarm["MetricName"] == metric]
    return {name for alarm in watching for name in names_in(alarm["Dimensions"])}


def sqs_mappings() -> list[tuple[Function, dict[str, Any]]]:
    """Every queue that a function reads, with the function."""
    return [(function, mapping) for function in functions() for mapping in function.events("SQS")]


def policy_statements() -> list[tuple[str, dict[str, Any]]]:
    """Every statement of every identity policy, with the resource that holds it."""
    found = [
        (name, statement)
        for name, role in resources("AWS::IAM::Role").items()
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
        for name, policy in resources(kind).items():
            found += [(name, statement) for statement in policy["PolicyDocument"]["Statement"]]
    return found


# ---- Functions


def test_folders_logical_ids_and_sample_events_belong_together() -> None:
    expected = {function.folder for function in functions()}
    assert {path.parent.name for path in (ROOT / "functions").glob("*/app.py")} == expected
    assert {path.parent.name for path in (ROOT / "events").glob("*/*.json")} == expected


@each_function
def test_a_function_is_built_from_its_folder(function: Function) -> None:
    assert function.logical_id == f"{function.stem}Function"
    assert function.properties["CodeUri"] == f"functions/{function.folder}/"
    assert function.properties["Description"]


@each_function
def test_a_function_writes_to_a_log_group_of_its_own_that_forgets(function: Function) -> None:
    (group,) = names_in(function.properties["LoggingConfig"]["LogGroup"])
    assert group == f"{function.stem}LogGroup"
    assert resources("AWS::Logs::LogGroup")[group]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert resources("AWS::Logs::LogGroup")[group]["LogGroupName"]["Fn::Sub"].endswith(f"/{function.folder}")


def test_every_log_group_forgets() -> None:
    assert [name for name, group in resources("AWS::Logs::LogGroup").items() if "RetentionInDays" not in group] == []


@each_function
def test_an_alarm_rings_when_a_function_fails(function: Function) -> None:
    assert function.logical_id in alarms_on("Errors")


@each_function
def test_a_function_is_told_exactly_what_its_settings_ask_for(function: Function) -> None:
    model: type[settings.Settings] = getattr(settings, f"{function.stem}Settings")
    asked = {str(field.validation_alias) for field in model.model_fields.values()}
    assert set(function.variables) == {name for name in asked if not name.startswith("AWS_")}


@each_function
def test_no_secret_is_in_a_functions_environment(function: Function) -> None:
    """Whoever may look at a function's configuration would read it. The name of a secret is none."""
    secrets = {name for name, parameter in template()["Parameters"].items() if parameter.get("NoEcho")}
    for name, value in function.variables.items():
        assert not names_in(value) & secrets, name
        assert "{{resolve:" not in str(value), name


def test_the_template_has_no_resource_policy_open_to_everybody() -> None:
    principals = [node["Principal"] for node in nodes(template()) if isinstance(node, dict) and "Principal" in node]
    assert principals
    assert not [principal for principal in principals if "*" in str(principal)]


# ---- Versions and runtimes


@each_http_function
def test_an_http_functions_alias_follows_its_code_and_its_layers(function: Function) -> None:
    """Without both switches a changed layer leaves the alias on the old code."""
    assert function.properties["AutoPublishAlias"] == "live"
    assert function.properties["AutoPublishAliasAllProperties"] is True
    assert template()["Globals"]["LayerVersion"]["PublishLambdaVersion"] is True
    preference = function.properties["DeploymentPreference"]
    assert preference["Enabled"] == {"Ref": "GradualDeployment"}
    assert f"{function.stem}ErrorsAlarm" in names_in(preference["Alarms"])


def test_runtime_and_processor_are_the_same_everywhere() -> None:
    shared = template()["Globals"]["Function"]
    assert shared["Runtime"] == {"Ref": "PythonRuntime"}
    assert shared["Architectures"] == [{"Ref": "Architecture"}]
    assert not [
        function for function in functions() if {"Runtime", "Architectures", "Layers"} & set(function.properties)
    ]
    for name in resources("AWS::Serverless::LayerVersion"):
        layer = template()["Resources"][name]
        assert layer["Metadata"] == {
            "BuildMethod": {"Ref": "PythonRuntime"},
            "BuildArchitecture": {"Ref": "Architecture"},
        }
        assert layer["Properties"]["CompatibleRuntimes"] == [{"Ref": "PythonRuntime"}]
        assert layer["Properties"]["CompatibleArchitectures"] == [{"Ref": "Architecture"}]
        assert layer["Properties"]["RetentionPolicy"] == "Retain", "going back to an old version needs it"


def test_every_sam_environment_says_for_itself_how_to_build() -> None:
    """An environment of samconfig.toml inherits nothing from the default one."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    environments = {name: value for name, value in config.items() if isinstance(value, dict)}
    assert {"default", "local"} <= set(environments)
    for environment in environments.values():
        assert environment["build"]["parameters"] == {"cached": True, "parallel": True}
    assert "GradualDeployment=true" in environments["default"]["deploy"]["parameters"]["parameter_overrides"]


# ---- Queues and the stream


def test_every_queue_is_encrypted() -> None:
    assert [name for name, queue in QUEUES.items() if not queue.get("SqsManagedSseEnabled")] == []


def test_every_queue_keeps_what_nobody_could_process() -> None:
    """In a dead-letter queue of its own and of its kind, as long as SQS keeps anything."""
    sources = set(QUEUES) - dead_letter_queues()
    assert sources
    targets: list[str] = []
    for name in sources:
        (target,) = names_in(QUEUES[name]["RedrivePolicy"])
        assert QUEUES[target].get("FifoQueue") == QUEUES[name].get("FifoQueue")
        targets.append(target)
    assert len(set(targets)) == len(targets)
    for name in dead_letter_queues():
        assert QUEUES[name]["MessageRetentionPeriod"] == FORTNIGHT


def test_every_queue_is_watched() -> None:
    assert dead_letter_queues() == alarms_on("ApproximateNumberOfMessagesVisible")
    assert set(QUEUES) - dead_letter_queues() == alarms_on("ApproximateAgeOfOldestMessage")


def test_no_message_comes_back_while_its_function_may_still_be_working() -> None:
    assert sqs_mappings()
    for function, mapping in sqs_mappings():
        (queue,) = names_in(mapping["Queue"])
        needed = 6 * function.timeout + mapping.get("MaximumBatchingWindowInSeconds", 0)
        assert QUEUES[queue]["VisibilityTimeout"] >= needed, queue


def test_one_bad_message_does_not_bring_back_its_batch() -> None:
    for function, mapping in sqs_mappings():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"], function.folder
        assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] <= 50, function.folder


def test_the_stream_gives_up_on_a_change_only_by_handing_it_over() -> None:
    readers = [(function, mapping) for function in functions() for mapping in function.events("DynamoDB")]
    assert [function.folder for function, _ in readers] == ["outbox_relay"]
    ((function, mapping),) = readers
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 0 < mapping["MaximumRetryAttempts"] <= 100
    assert mapping["StartingPosition"] == "TRIM_HORIZON", "what is written before the mapping exists counts too"
    assert names_in(mapping["DestinationConfig"]["OnFailure"]) <= dead_letter_queues()
    assert mapping["FilterCriteria"]["Filters"], "every change would start the function"
    assert function.logical_id in alarms_on("IteratorAge")


# ---- Permissions


@pytest.mark.parametrize(("holder", "statement"), policy_statements())
def test_no_policy_has_a_wildcard(holder: str, statement: dict[str, Any]) -> None:
    assert statement["Effect"] == "Allow"
    assert not {"NotAction", "NotResource"} & set(statement)
    actions = set(listed(statement["Action"]))
    assert not [action for action in actions if "*" in action], holder
    wild = [resource for resource in listed(statement["Resource"]) if "*" in str(resource)]
    assert not wild or actions <= UNLIMITABLE, holder


@each_function
def test_a_functions_role_is_its_own(function: Function) -> None:
    """A generated role would get AWS's managed policies, which reach every queue, stream and log of the account."""
    assert function.properties["Role"] == {"Fn::GetAtt": f"{function.stem}Role.Arn"}
    assert "Policies" not in function.properties
    role = resources("AWS::IAM::Role")[f"{function.stem}Role"]
    assert role["ManagedPolicyArns"] == [{"Ref": "TracingPolicy"}]
    users = [other.folder for other in functions() if other.properties["Role"] == function.properties["Role"]]
    assert users == [function.folder]


@each_function
def test_a_function_reaches_only_the_keys_it_needs(function: Function) -> None:
    """Of the table: partitions by their prefix. Of the key: what was encrypted for a program."""
    for statement in function.statements:
        condition = statement.get("Condition", {})
        actions = listed(statement["Action"])
        if any(action.startswith("kms:") for action in actions):
            assert condition == {
                "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["program"]},
                "Null": {"kms:EncryptionContextKeys": "false"},
            }
        reads_items = [action for action in actions if action.startswith("dynamodb:") and "Stream" not in action]
        if reads_items and not set(actions) & {"dynamodb:GetRecords"}:
            prefixes = condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            assert all(re.fullmatch(r"[A-Z]+#\*", prefix) for prefix in prefixes)
            assert "dynamodb:Scan" not in actions


# ---- HTTP API


def test_the_gateways_own_failures_ask_the_caller_to_come_back() -> None:
    """Klaviyo's flow webhooks give up for good on 504, and on anything else but 429, 500, 502 and 503."""
    (api,) = resources("AWS::Serverless::Api").values()
    for kind in ("DEFAULT_5XX", "API_CONFIGURATION_ERROR", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "THROTTLED"):
        response = api["GatewayResponses"][kind]
        headers = response["ResponseParameters"]["Headers"]
        assert response["StatusCode"] == 503, kind
        assert re.fullmatch(r"'\d+'", headers["Retry-After"]), kind
        assert headers["Content-Type"] == "'application/problem+json'", kind


def test_access_logs_hold_no_personal_data() -> None:
    """An e-mail address may be in a path or a query, so a line names the route."""
    (api,) = resources("AWS::Serverless::Api").values()
    assert set(re.findall(r"\$context\.([\w.]+)", api["AccessLogSetting"]["Format"])) <= LOGGABLE
    assert not [setting for setting in api["MethodSettings"] if setting.get("DataTraceEnabled")]
    assert api["TracingEnabled"] is False, "a trace of the gateway holds the URL"
    assert api["StageName"] == "v1"


# ---- What must survive


def test_the_table_can_be_recovered_and_is_not_deleted_by_accident() -> None:
    table = template()["Resources"]["Table"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    properties = table["Properties"]
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    indexes = properties["GlobalSecondaryIndexes"]
    assert [index["IndexName"] for index in indexes] == ["feed", "due", "roster"]
    assert "ALL" not in [index["Projection"]["ProjectionType"] for index in indexes], (
        "a posting would cost twice as much"
    )


@pytest.mark.parametrize("name", ["CredentialsKey", "OperatorKey", "KlaviyoApp"])
def test_what_nothing_can_be_read_without_is_kept(name: str) -> None:
    resource = template()["Resources"][name]
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)
def test_an_alarm_says_what_happened_and_tells_somebody(alarm: dict[str, Any]) -> None:
    assert names_in(alarm["AlarmActions"]) == {"AlarmTopic"}
    assert alarm["AlarmDescription"]
    # Silence is good news, except where the alarm is for something that did not happen.
    silence = "breaching" if alarm["ComparisonOperator"].startswith("LessThan") else "notBreaching"
    assert alarm["TreatMissingData"] == silence


@pytest.mark.parametrize("name", sorted(name for name, alarm in ALARMS.items() if alarm["Namespace"] == "Tallyhook"))
def test_an_alarm_on_a_fact_of_ours_watches_one_that_the_code_reports(name: str) -> None:
    """A misspelt metric never rings, or always."""
    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Tallyhook"
    assert ALARMS[name]["Dimensions"] == [{"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]}]
    metric = f'"{ALARMS[name]["MetricName"]}"'
    assert any(metric in source.text for source in shipped())


def test_alarms_ring_when_no_sweep_began_and_when_one_is_an_hour_late() -> None:
    """A member waits an hour at most while hourly sweeps come; two hours are an hour too many."""
    assert template()["Parameters"]["SweepSchedule"]["Default"] == "cron(5 * * * ? *)"
    watched = ("MetricName", "Statistic", "Period", "Threshold", "ComparisonOperator")
    missed, late = ([ALARMS[name][each] for each in watched] for name in ("SweepMissedAlarm", "SweepLagAlarm"))
    assert missed == ["SweepsBegun", "Sum", 7200, 1, "LessThanThreshold"]
    assert late == ["DueLagSeconds", "Maximum", 60, 7200, "GreaterThanOrEqualToThreshold"]


def test_whoever_calls_klaviyo_may_count_its_calls() -> None:
    """All workers of a program stay below Klaviyo's published limits together."""
    callers = [function for function in functions() if "KLAVIYO_BASE_URL" in function.variables]
    assert {"klaviyo_events", "klaviyo_profiles", "klaviyo_upkeep"} <= {function.folder for function in callers}
    for function in callers:
        counting = [each for each in function.statements if "CALLS#*" in str(each.get("Condition"))]
        assert [each["Action"] for each in counting] == ["dynamodb:PutItem"], function.folder
