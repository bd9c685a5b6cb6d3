"""Run the fake Klaviyo: `python -m local.fake_klaviyo --port 0 --port-file PATH`."""

import argparse
import signal
import threading
from pathlib import Path

from local.fake_klaviyo.clock import RunningClock
from local.fake_klaviyo.contract import Contract
from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.seed import Seed
from local.fake_klaviyo.server import FakeServer, write_port_file


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.fake_klaviyo",
        description="A strict, stateful stand-in for Klaviyo's API on 127.0.0.1.",
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 picks a free one")
    parser.add_argument("--port-file", type=Path, help="file to write the base URL to once requests are accepted")
    parser.add_argument("--contract", type=Path, help="Klaviyo's OpenAPI document, to check request bodies with")
    parser.add_argument("--accounts-file", type=Path, help="seed (JSON) instead of the built-in one")
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="seconds of Klaviyo time that one real second stands for"
    )
    return parser.parse_args()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = _arguments()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    fake = FakeKlaviyo(
        clock=RunningClock(arguments.time_scale),
        seed=None if arguments.accounts_file is None else Seed.read(arguments.accounts_file),
        contract=None if arguments.contract is None else Contract.read(arguments.contract),
    )
    with FakeServer(fake, arguments.port) as server:
        if arguments.port_file is not None:
            write_port_file(arguments.port_file, server.base_url)
        print(f"fake Klaviyo at {server.base_url}, inspection API at {server.base_url}/_fake", flush=True)
        stopping.wait()


if __name__ == "__main__":
    main()
