"""What a function loads when it starts: what it does, and not what others do (benchmarks/cold_import)."""

import grimp
import pytest

from tests.architecture.sources import is_within
from tests.architecture.template import functions

KLAVIYO = ("loyalty.adapters.klaviyo", "loyalty.services.keep_tokens", "requests")
COMMANDS = ("loyalty.domain.ledger.commands", "loyalty.services.posting")
SETTINGS = ("loyalty.contracts.settings", "loyalty.contracts.openapi", "loyalty.contracts.examples")

NEEDLESS = {
    "review_webhook": (*KLAVIYO, *COMMANDS, *SETTINGS),
    "review_flow": (*KLAVIYO, *COMMANDS, *SETTINGS),
    "review_award": (*KLAVIYO, *SETTINGS),
    "outbox_relay": (*KLAVIYO, *COMMANDS, *SETTINGS, "loyalty.domain.program"),
    "klaviyo_events": (*COMMANDS, *SETTINGS),
    "klaviyo_profiles": (*COMMANDS, *SETTINGS),
    "klaviyo_sync": (*COMMANDS, *SETTINGS),
    "balance_adjust": (*KLAVIYO, *SETTINGS),
    "expiry_warnings": (*KLAVIYO, *SETTINGS, "loyalty.domain.ledger", "loyalty.domain.program"),
    "due_sweep": (*KLAVIYO, *SETTINGS),
    "klaviyo_connection": (*COMMANDS, *SETTINGS),
    "oauth_callback": (*COMMANDS, *SETTINGS, "loyalty.contracts.builder", "loyalty.contracts.sample_events"),
    "klaviyo_upkeep": (*COMMANDS, *SETTINGS, "loyalty.contracts.builder", "loyalty.services.authorize_program"),
    "program_api": (*KLAVIYO, "loyalty.services.adjust_balances", "loyalty.contracts.builder"),
}


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Every import that happens while a module loads, without those for type checkers; the description comes later."""
    graph = grimp.build_graph(
        "loyalty", "functions", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )
    graph.remove_import(importer="loyalty.runtime.program_api", imported="loyalty.contracts.openapi")
    return graph


def test_every_function_is_looked_at() -> None:
    assert set(NEEDLESS) == {function.folder for function in functions()}


@pytest.mark.parametrize("folder", NEEDLESS)
def test_a_function_loads_nothing_that_it_never_uses(imports: grimp.ImportGraph, folder: str) -> None:
    loaded = imports.find_upstream_modules(f"functions.{folder}.app")
    found = sorted(module for module in loaded if any(is_within(module, each) for each in NEEDLESS[folder]))
    assert found == []
