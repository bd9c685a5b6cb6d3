"""Access lost and found: an immediate pause, one notification, nothing lost, and everything delivered afterwards."""

from datetime import timedelta
from itertools import count

import pytest

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY
from loyalty.contracts.deliveries import OwedEvent
from loyalty.domain.connection import ConnectionMode, ConnectionStatus
from loyalty.domain.errors import Transient
from loyalty.domain.identity import Address
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.ledger.entry import DeliveryState, Entry
from loyalty.ports import Receipt
from loyalty.services.posting import Ledger
from loyalty.services.resume_sending import Resume
from tests.builders import a_command
from tests.connection_world import CANDLES, Office
from tests.fakes.clocks import SeededRandomness

_numbers = count(1)


def connected(mode: ConnectionMode = ConnectionMode.OAUTH) -> Office:
    office = Office()
    if mode is ConnectionMode.OAUTH:
        office.connects()
    else:
        office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    office.synced()
    return office


def earns(office: Office, email: str = "sarah.mason@klaviyo-demo.com") -> Entry:
    ledger = Ledger(office.ledger, office.clock, SeededRandomness(next(_numbers)))
    command = a_command(Adjust(5), at=office.clock.now(), event_type="points_adjusted_up")
    program = office.programs.programs[CANDLES]
    receipt = ledger.post(program, Address("email", email), command, newcomer=True)
    assert isinstance(receipt, Receipt)
    entry = office.ledger.entry(CANDLES, receipt.member_id, receipt.seq)
    assert entry is not None
    return entry


def send(office: Office, *entries: Entry) -> int:
    """Run the events worker on each entry by itself; how many messages come back."""
    back = 0
    for entry in entries:
        owed = OwedEvent(program=entry.program, member_id=entry.member_id, seq=entry.seq)
        (work,) = office.deliver_events([owed], until=office.clock.now() + timedelta(seconds=40))
        back += len(work.later)
    return back


def revoke(office: Office) -> None:
    """The merchant removes the app, or the key, at Klaviyo."""
    office.account.fake.services.oauth.uninstall("AbC123", office.account.app.client_id)
    office.account.fake.services.world.accounts["AbC123"].private_keys.clear()


def states(office: Office, entries: list[Entry]) -> set[DeliveryState]:
    stored = [office.ledger.entry(entry.program, entry.member_id, entry.seq) for entry in entries]
    return {entry.delivery.state for entry in stored if entry}


@pytest.mark.slow
@pytest.mark.parametrize("mode", ConnectionMode)
def test_a_thousand_failing_sends_make_one_notification_and_no_more_calls(mode: ConnectionMode) -> None:
    """R16, R17, R18."""
    office = connected(mode)
    entries = [earns(office, f"member-{number}@klaviyo-demo.com") for number in range(1000)]
    revoke(office)
    send(office, entries[0])
    assert office.connection().status is ConnectionStatus.ACCESS_LOST
    calls = office.calls()
    assert send(office, *entries) == 0
    assert office.deliver_profiles(CANDLES, until=office.clock.now() + timedelta(seconds=40)).trouble is None
    assert office.calls() == calls
    assert [slug for slug, _ in office.account.notices.told] == [CANDLES]
    assert states(office, entries) == {DeliveryState.OWED}
    assert len(office.ledger.owed_profiles(CANDLES, limit=5000)) == 1000


def test_what_happens_meanwhile_is_owed_too_and_a_reconnect_delivers_everything_once_and_in_order() -> None:
    """R17, R19."""
    office = connected()
    before = [earns(office) for _ in range(5)]
    revoke(office)
    send(office, *before)
    office.clock.sleep(3600)
    meanwhile = [earns(office) for _ in range(5)]
    office.clock.sleep(60)
    connection = office.connects().connection
    assert (connection.status, connection.loss, connection.is_sending) == (ConnectionStatus.CONNECTED, None, True)
    until = office.clock.now() + timedelta(seconds=20)
    Resume(office.requeue, office.wake, office.clock)(CANDLES, connection, until=until)
    owed = [OwedEvent.model_validate_json(message.body) for message in office.events.messages]
    office.deliver_events(owed, until=office.clock.now() + timedelta(seconds=40))
    office.deliver_profiles(CANDLES, until=office.clock.now() + timedelta(seconds=40))
    assert [unique_id for unique_id, _, _ in office.account.events()] == [entry.id for entry in before + meanwhile]
    assert states(office, before + meanwhile) == {DeliveryState.SENT}
    (properties,) = office.account.profiles().values()
    assert properties["loyalty_points_balance"] == 50
    assert len(office.profiles.messages) == 1


def test_a_second_loss_is_told_again() -> None:
    """R18."""
    office = connected()
    for _ in range(2):
        revoke(office)
        send(office, *[earns(office) for _ in range(3)])
        office.clock.sleep(60)
        office.connects()
    assert len(office.account.notices.told) == 2


def test_a_notification_that_could_not_be_sent_is_sent_by_the_upkeep() -> None:
    office = connected()
    revoke(office)
    office.account.notices.trouble = Transient("The notification service is busy.")
    send(office, earns(office))
    assert office.connection().status is ConnectionStatus.ACCESS_LOST
    office.account.notices.trouble = None
    office.clock.sleep(2 * 3600)
    for _ in range(3):
        office.upkeep(until=office.clock.now() + timedelta(seconds=60))
        office.clock.sleep(2 * 3600)
    assert len(office.account.notices.told) == 1


def test_so_is_the_one_about_a_grant_that_may_not_send() -> None:
    """R6, R18: Klaviyo can still be asked then, so the upkeep goes on with that program."""
    office = connected()
    office.account.goes_wrong(operation="bulk_create_events", kind="status", status=403, times=None)
    office.account.notices.trouble = Transient("The notification service is busy.")
    send(office, earns(office))
    assert office.connection().status is ConnectionStatus.RECONNECT_REQUIRED
    for trouble in (office.account.notices.trouble, None, None):
        office.account.notices.trouble = trouble
        office.clock.sleep(2 * 3600)
        (work,) = office.upkeep(until=office.clock.now() + timedelta(seconds=60))
        assert work.lost is False
    assert len(office.account.notices.told) == 1


def test_a_grant_that_may_not_send_asks_for_a_reconnect() -> None:
    """R6: Klaviyo says 403 although the scopes looked right."""
    office = connected()
    office.account.goes_wrong(operation="bulk_create_events", kind="status", status=403, times=None)
    entries = [earns(office) for _ in range(3)]
    assert send(office, *entries) == 0
    assert office.connection().state is ConnectionStatus.RECONNECT_REQUIRED
    assert len(office.account.notices.told) == 1
    assert office.account.calls("bulk_create_events") == 2
    assert states(office, entries) == {DeliveryState.OWED}


def test_scopes_that_sending_does_not_need_do_not_stop_it() -> None:
    office = connected()
    office.changes(scopes=tuple(scope for scope in office.connection().scopes if scope != "flows:write"))
    entry = earns(office)
    send(office, entry)
    assert office.connection().state is ConnectionStatus.RECONNECT_REQUIRED
    assert states(office, [entry]) == {DeliveryState.SENT}
