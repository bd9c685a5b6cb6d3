"""The fake Klaviyo as a process: it says where it listens, answers, and stops when told to."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY, Seed, SeedAccount, SeedKey

ROOT = Path(__file__).parents[2]
HEADERS = {"revision": "2026-07-15", "accept": "application/vnd.api+json"}


def started(port_file: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """A running fake and its base URL."""
    command = [sys.executable, "-m", "local.fake_klaviyo", "--port", "0", "--port-file", str(port_file), *options]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    announced = process.stdout.readline()
    assert announced, process.communicate()
    url = port_file.read_text(encoding="utf-8").strip()
    assert url in announced
    return process, url


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """End a process with a signal; returns its exit status and what it complained about."""
    process.send_signal(number)
    _, complaints = process.communicate(timeout=10)
    return process.returncode, complaints


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_on_loopback_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    process, url = started(tmp_path / "url")
    try:
        assert url.startswith("http://127.0.0.1:")
        headers = {**HEADERS, "authorization": f"Klaviyo-API-Key {DEFAULT_PRIVATE_KEY}"}
        assert requests.get(f"{url}/api/accounts", headers=headers, timeout=5).status_code == 200
        assert requests.get(f"{url}/_fake/health", timeout=5).json()["status"] == "ok"
    finally:
        ended = stopped(process, number)
    assert ended == (0, "")


def test_a_hanging_call_does_not_keep_it_from_stopping(tmp_path: Path) -> None:
    process, url = started(tmp_path / "url")
    try:
        fault = {"kind": "hang", "operation": "get_accounts", "seconds": 600}
        requests.post(f"{url}/_fake/faults", json=fault, timeout=5)
        headers = {**HEADERS, "authorization": f"Klaviyo-API-Key {DEFAULT_PRIVATE_KEY}"}
        with pytest.raises(requests.Timeout):
            requests.get(f"{url}/api/accounts", headers=headers, timeout=0.2)
    finally:
        ended = stopped(process, signal.SIGTERM)
    assert ended == (0, "")


def test_it_starts_from_a_seed_file_and_a_contract(tmp_path: Path) -> None:
    seed = Seed(accounts=[SeedAccount(id="XyZ789", private_keys=[SeedKey(key="pk_other")])])
    (tmp_path / "seed.json").write_text(seed.model_dump_json(), encoding="utf-8")
    name = {"type": "object", "properties": {"first_name": {"enum": ["Sarah"]}}}
    attributes = {"type": "object", "properties": {"attributes": name}}
    schema = {"type": "object", "properties": {"data": attributes}}
    content = {"application/vnd.api+json": {"schema": schema}}
    operation = {"operationId": "create_or_update_profile", "requestBody": {"content": content}}
    document = {"paths": {"/api/profile-import": {"post": operation}}, "components": {"schemas": {}}}
    (tmp_path / "contract.json").write_text(json.dumps(document), encoding="utf-8")
    options = ("--accounts-file", str(tmp_path / "seed.json"), "--contract", str(tmp_path / "contract.json"))
    process, url = started(tmp_path / "url", *options)
    try:
        headers = {
            **HEADERS,
            "authorization": "Klaviyo-API-Key pk_other",
            "content-type": "application/vnd.api+json",
        }
        statuses = []
        for first_name in ("Sarah", "Bill"):
            resource = {"type": "profile", "attributes": {"external_id": "1", "first_name": first_name}}
            body = json.dumps({"data": resource})
            answer = requests.post(f"{url}/api/profile-import", data=body, headers=headers, timeout=5)
            statuses.append(answer.status_code)
    finally:
        ended = stopped(process, signal.SIGTERM)
    assert statuses == [201, 400]
    assert ended == (0, "")
