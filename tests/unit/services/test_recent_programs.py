"""What is remembered of programs: for seconds, of so many, and no secret longer than it is stored."""

from __future__ import annotations

from dataclasses import replace

from loyalty.domain.identity import ProgramSlug
from loyalty.services.recent_programs import REMEMBERED_FOR, REMEMBERED_MOST, RecentPrograms
from tests.builders import a_connection
from tests.deliveries import SECRET, WEBHOOK_ID, a_listening_program
from tests.fakes.clocks import FixedClock
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_vault import MemoryVault

CANDLES = ProgramSlug("candles")


def test_a_program_is_remembered_for_its_time_and_not_longer() -> None:
    clock, vault = FixedClock(), MemoryVault()
    recent = RecentPrograms(MemoryPrograms(a_listening_program(vault)), vault, clock)
    first = recent.look_up(CANDLES, WEBHOOK_ID)
    assert (first.fresh, first.secrets) == (True, (SECRET,))
    assert not recent.look_up(CANDLES, WEBHOOK_ID).fresh
    assert recent.look_up(CANDLES, WEBHOOK_ID, fresh=True).fresh
    clock.time += REMEMBERED_FOR
    assert recent.look_up(CANDLES, WEBHOOK_ID).fresh


def test_a_clock_that_was_set_back_keeps_nothing_alive() -> None:
    clock, vault = FixedClock(), MemoryVault()
    recent = RecentPrograms(MemoryPrograms(a_listening_program(vault)), vault, clock)
    recent.look_up(CANDLES, WEBHOOK_ID)
    clock.time -= 2 * REMEMBERED_FOR
    assert recent.look_up(CANDLES, WEBHOOK_ID).fresh


def test_the_secrets_are_those_of_the_webhook_asked_for() -> None:
    vault = MemoryVault()
    recent = RecentPrograms(MemoryPrograms(a_listening_program(vault)), vault, FixedClock())
    assert recent.look_up(CANDLES, "01OTHER").secrets == ()
    assert vault.decryptions == 0


def test_names_that_nobody_has_do_not_fill_the_memory() -> None:
    """Somebody who tries many names pushes out old ones, and that is all."""
    clock, vault = FixedClock(), MemoryVault()
    recent = RecentPrograms(MemoryPrograms(a_listening_program(vault)), vault, clock)
    recent.look_up(CANDLES, WEBHOOK_ID)
    for number in range(REMEMBERED_MOST):
        assert recent.look_up(ProgramSlug(f"name-{number}"), WEBHOOK_ID).program is None
    assert recent.look_up(CANDLES, WEBHOOK_ID).fresh
    assert not recent.look_up(ProgramSlug(f"name-{REMEMBERED_MOST - 1}"), WEBHOOK_ID).fresh


def test_a_secret_that_is_no_longer_stored_is_forgotten() -> None:
    vault = MemoryVault()
    program = a_listening_program(vault)
    programs = MemoryPrograms(program)
    recent = RecentPrograms(programs, vault, FixedClock())
    recent.look_up(CANDLES, WEBHOOK_ID)
    programs.programs[CANDLES] = replace(program, connection=a_connection())
    assert recent.look_up(CANDLES, WEBHOOK_ID, fresh=True).secrets == ()
    programs.programs[CANDLES] = program
    assert recent.look_up(CANDLES, WEBHOOK_ID, fresh=True).secrets == (SECRET,)
    assert vault.decryptions == 2
