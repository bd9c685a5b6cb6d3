"""Gives an API of the emulator the gateway responses that the template gives it.

On AWS they are part of the API's body. The emulator leaves them out when it imports one, but knows the calls that make
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from local.emulator import Emulator


def put_gateway_responses(emulator: Emulator, api_id: str, template: Path) -> None:
    """Read the responses of the resource ``Api`` from a built template, put them into the API and deploy it anew."""
    api = yaml.safe_load(template.read_text())["Resources"]["Api"]["Properties"]
    client = emulator.client("apigateway")
    for kind, response in api["GatewayResponses"].items():
        status = {"statusCode": str(response["StatusCode"])} if "StatusCode" in response else {}
        headers = response.get("ResponseParameters", {}).get("Headers", {})
        client.put_gateway_response(
            restApiId=api_id,
            responseType=kind,
            responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
            responseTemplates=response["ResponseTemplates"],
            **status,
        )
    client.create_deployment(restApiId=api_id, stageName=api["StageName"])
