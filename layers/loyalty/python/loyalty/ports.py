"""What the use cases need from the outside world. Adapters implement these; tests bring fakes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from loyalty.connection_ports import ReviewListing
from loyalty.flow_ports import FlowDrafts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from loyalty.domain.api_keys import ApiKey
    from loyalty.domain.connection import Connection, ConnectionMode
    from loyalty.domain.identity import MemberId, ProgramSlug
    from loyalty.domain.ledger.amounts import Amounts
    from loyalty.domain.ledger.commands import CommandKey
    from loyalty.domain.ledger.decisions import Posting
    from loyalty.domain.ledger.entry import Delivery, Entry, EntryKind, Reversal
    from loyalty.domain.ledger.member import Member
    from loyalty.domain.ledger.verify import Finding
    from loyalty.domain.program import Program
    from loyalty.domain.telling import MetricEvent, ProfileState


class Clock(Protocol):
    """The time, and waiting."""

    def now(self) -> datetime:
        """The present time, aware UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Randomness(Protocol):
    """Unguessable values and jitter."""

    def salt(self) -> str:
        """22 characters of fresh randomness."""

    def jitter(self, most: float) -> float:
        """A number between 0 and ``most``, evenly spread."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a command answered: the entry it wrote and the balances it left. ``replayed`` marks a repeat's answer."""

    member_id: MemberId
    seq: int
    entry_id: str
    kind: EntryKind
    points: int
    after: Amounts
    recorded_at: datetime
    replayed: bool = False

    @classmethod
    def of(cls, entry: Entry) -> Receipt:
        """What the command that wrote this entry answers."""
        return cls(entry.member_id, entry.seq, entry.id, entry.kind, entry.points, entry.after, entry.recorded_at)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """The idempotency record of a command: what was asked, what it answered, and until when a caller's key lives."""

    key: str
    natural: bool
    request_digest: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class ReversalMark:
    """A reversal to note on the entry it reverses; ``reversed_before`` must still be the points reversed so far."""

    original: Entry
    key: str
    reversal: Reversal


@dataclass(frozen=True, slots=True)
class Claim:
    """An external id or phone number that is to point at a member from now on, or (``member_id`` "") at nobody."""

    kind: str
    value: str
    member_id: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One transaction: postings (two for a merge), each with its event's delivery, and what makes them happen once.

    Exactly one of ``record`` and ``reversal`` is set: a reversal keeps its idempotency on the entry it reverses,
    which must be part of the transaction anyway. ``redirects`` are addresses that lead to a member from now on.
    """

    program: Program
    postings: tuple[Posting, ...]
    deliveries: tuple[Delivery, ...]
    record: KeyRecord | None = None
    reversal: ReversalMark | None = None
    claims: tuple[Claim, ...] = ()
    redirects: tuple[tuple[MemberId, MemberId], ...] = ()


@dataclass(frozen=True, slots=True)
class Redirect:
    """An address's derived id that belongs to another member."""

    member_id: MemberId


class LedgerStore(Protocol):
    """Members, their journals and the records that make commands happen once. Reads that decide are consistent."""

    def find(self, program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        """The member stored under an id, or where it points."""

    def claimed_by(self, program: Program, kind: str, value: str) -> MemberId | None:
        """The member an external id or phone number points at."""

    def entry(self, program: ProgramSlug, member_id: MemberId, seq: int) -> Entry | None:
        """One entry of a journal."""

    def journal(self, program: ProgramSlug, member_id: MemberId, *, after: int = 0) -> Iterator[Entry]:
        """A member's entries, oldest first, from number ``after`` + 1 on."""

    def latest(self, program: ProgramSlug, member_id: MemberId, *, before: int | None, limit: int) -> list[Entry]:
        """A member's entries, newest first (R182)."""

    def record(self, program: ProgramSlug, key: CommandKey) -> KeyRecord | None:
        """The record of a command carried out before."""

    def forget_addresses(self, program: Program, claims: Iterable[Claim], redirects: Iterable[MemberId]) -> None:
        """Let the external ids and phone numbers that these members have, and former addresses, lead nowhere."""

    def forget_words(self, entry: Entry) -> None:
        """Remove an entry's erasable words; its place in the chain stays."""

    def commit(self, plan: Plan) -> None:
        """Carry out a plan, whole or not at all.

        Raises:
            Conflict: a member, claim or reversed entry changed since it was read.
            Duplicate: the command's key is taken; ``first`` is its KeyRecord.
            Transient: storage is throttled or out of reach; nothing or everything happened.
        """


@dataclass(frozen=True, slots=True)
class DueMember:
    """A member that needs attention since ``due_at`` (aware UTC); ``position`` is its place in the shard."""

    program: ProgramSlug
    member_id: MemberId
    due_at: datetime
    position: str


class DueIndex(Protocol):
    """Members by the time of their next due act, in shards."""

    def due(self, shard: int, until: datetime, *, after: str, limit: int) -> list[DueMember]:
        """Members of a shard due at or before ``until``, soonest first, from behind position ``after`` on."""

    def correct(self, program: Program, member_id: MemberId) -> int:
        """Move a member to when it is due under the program's present terms, if that is elsewhere; 0, as no act."""


@dataclass(frozen=True, slots=True)
class MemberReport:
    """What checking one member found; ``amounts`` is what its journal proves."""

    member_id: MemberId
    entries: int
    amounts: Amounts
    findings: tuple[Finding, ...]


class Audit(Protocol):
    """Stored items compared with what the journal says they must be."""

    def member_ids(self, program: ProgramSlug) -> Iterator[MemberId]:
        """Every member of a program. Reads the whole table; an operator's tool, not a request's."""

    def strays(self, program: Program) -> Iterator[Finding]:
        """Items of a program that belong to no member: records without entries, pointers to nobody."""

    def check(self, program: Program, member_id: MemberId) -> MemberReport:
        """Replay a member's journal and compare every item that follows from it."""

    def rebuild(self, program: Program, member_id: MemberId) -> list[str]:
        """Write every item that follows from the journal anew where it differs; the names of those written.

        Raises:
            Rejected: the journal itself is broken, and nothing is written.
            Conflict: the member changed meanwhile.
        """


class ProgramStore(Protocol):
    """Programs and their connections."""

    def load(self, slug: ProgramSlug) -> Program | None:
        """A program with its connection."""

    def create(self, program: Program) -> None:
        """Store a new program.

        Raises:
            Conflict: the slug is taken.
        """

    def save_connection(self, slug: ProgramSlug, connection: Connection) -> Connection:
        """Replace the version of a connection that was read; the first has version 0. Answers it as stored.

        Raises:
            Conflict: somebody else changed the connection meanwhile.
        """

    def connections_due(self, now: datetime, *, limit: int) -> list[ProgramSlug]:
        """Programs whose connection is to be looked after by now, those waiting longest first."""


class KeyStore(Protocol):
    """API keys. Reads are consistent, so that a revoked key is refused at once."""

    def add(self, key: ApiKey) -> None:
        """Store a new key."""

    def load(self, key_id: str) -> ApiKey | None:
        """A key by its id, revoked ones too."""

    def all_of(self, program: ProgramSlug) -> list[ApiKey]:
        """A program's keys, oldest first."""

    def revoke(self, key: ApiKey, at: datetime) -> ApiKey:
        """Let a key open nothing any more; one that is revoked already stays as it is. The key as it is then."""

    def note_use(self, key: ApiKey, at: datetime) -> None:
        """Remember when a key was last used."""


class RequestCounter(Protocol):
    """Counts requests by key and minute, across everything that serves them."""

    def take(self, key_id: str, limit: int, now: datetime) -> bool:
        """Count one request; False when the key has made ``limit`` of them in this minute. Costs one write unit."""


class UnfinishedRequests(Protocol):
    """Requests without idempotency keys that stopped half way: sending one again goes on and repeats nothing."""

    def find(self, program: ProgramSlug, digest: str) -> str:
        """The name under which such a request was begun, by the digest of its content; empty when there is none."""

    def remember(self, program: ProgramSlug, digest: str, name: str, now: datetime) -> None:
        """Keep the name of a request that stopped."""

    def forget(self, program: ProgramSlug, digest: str) -> None:
        """The request got to its end."""


class Vault(Protocol):
    """Encrypts what must not be read at rest, bound to one program."""

    def encrypt(self, program: ProgramSlug, secret: str) -> bytes:
        """Encrypt a secret for a program."""

    def decrypt(self, program: ProgramSlug, sealed: bytes) -> str:
        """Get a secret back.

        Raises:
            Misconfigured: it was encrypted for another program, or the key is out of reach.
        """


class MessageQueue(Protocol):
    """A queue that takes messages durably."""

    def send(self, messages: Sequence[QueueMessage]) -> None:
        """Store all messages, in as few calls as the service allows.

        Raises:
            Transient: some are not stored; sending all of them again is safe.
        """


class WatchedQueue(MessageQueue, Protocol):
    """A queue that says how much it holds."""

    def waiting(self) -> int:
        """About how many messages there are: waiting, postponed and being worked on.

        Raises:
            Transient: the queue is out of reach.
        """


class Visibility(Protocol):
    """When a message that is not done shows up again."""

    def postpone(self, delays: Mapping[str, int]) -> None:
        """Show messages again after so many seconds, by their receipts.

        Raises:
            Transient: the queue is out of reach; the messages come back at its own time.
        """


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message's body (JSON text) with the group it belongs to; FIFO queues drop a repeated ``deduplication_id``.

    ``delay`` is seconds, at most 900, before it is handed out; queues that are not FIFO can hold a message back.
    """

    body: str
    group: str = ""
    deduplication_id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    delay: int = 0


class Outbox(Protocol):
    """What Klaviyo is still owed."""

    def members(self, program: ProgramSlug, member_ids: Iterable[MemberId]) -> dict[MemberId, Member]:
        """The newest state of many members, consistently read; unknown ones are missing."""

    def entries(self, program: ProgramSlug, keys: Iterable[tuple[MemberId, int]]) -> list[Entry]:
        """Entries by member and number."""

    def owed_profiles(self, program: ProgramSlug, *, limit: int) -> list[MemberId]:
        """Members whose newest state Klaviyo lacks, those owed longest first."""

    def owed_events(
        self, program: ProgramSlug, *, before: datetime, after: str = "", limit: int
    ) -> tuple[list[tuple[MemberId, int]], str]:
        """Entries whose event has been owed since before a time, in pages: keys, and what the next page is after.

        Those of one member come in the order of the journal; the last page is after "".
        """

    def owed_counts(self, program: ProgramSlug, *, most: int) -> tuple[int, int]:
        """How many events and profiles are owed; counting ends at ``most`` of each."""

    def mark_event(self, entry: Entry, delivery: Delivery) -> bool:
        """Note what became of an owed event. False when it was not owed any more."""

    def mark_events(self, marks: Sequence[tuple[Entry, Delivery]]) -> None:
        """Note what became of many owed events; those that were not owed any more are left alone.

        Raises:
            Transient: some are not noted; noting all of them again is safe.
        """

    def clear_profile(self, program: ProgramSlug, member_id: MemberId, version: int) -> bool:
        """Note that Klaviyo has the member's state of ``version``. False when a newer one exists."""

    def refuse_profile(self, program: ProgramSlug, member_id: MemberId, version: int, why: str) -> bool:
        """Note that Klaviyo will not take the state of ``version``; the next change is owed again."""


@dataclass(frozen=True, slots=True)
class RegisteredWebhook:
    """A webhook as Klaviyo lists it: of its URL only scheme and host are shown, of its secret nothing."""

    id: str
    name: str
    masked_url: str
    enabled: bool


class KlaviyoApi(ReviewListing, FlowDrafts, Protocol):
    """Klaviyo, spoken to for one connection. Nothing is retried here and nothing waits longer than a second.

    Every call raises, besides what it names itself:
        KlaviyoUnavailable: throttled, out of order or out of reach; the call may have been carried out.
        KlaviyoUnauthorized: the credential is not accepted.
        KlaviyoForbidden: the credential lacks a scope, or the account the feature.
        KlaviyoIncompatible: Klaviyo does not know the call in this form.
    """

    def account_id(self) -> str:
        """The id of the one account the credential belongs to."""

    def webhook_topics(self) -> list[str]:
        """The topics this account offers."""

    def create_webhook(self, *, name: str, url: str, secret: str, topics: Sequence[str]) -> str:
        """Register a webhook; its id. Klaviyo makes a second one when asked twice.

        Raises:
            KlaviyoRefused: the URL, secret or topics are not acceptable.
        """

    def webhooks(self) -> list[RegisteredWebhook]:
        """Every webhook of the account, other apps' too."""

    def enable_webhook(self, webhook_id: str, *, url: str) -> None:
        """Switch a webhook on and let it deliver to ``url``.

        Raises:
            KlaviyoIncompatible: there is no such webhook.
        """

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook; one that is gone already is fine."""

    def ready_for_events(self) -> None:
        """Nothing, or KlaviyoUnavailable where the limit of bulk requests is known to be used up; asks nobody."""

    def send_events(self, events: Sequence[MetricEvent]) -> int:
        """Send as many of the events, from the first on, as one bulk request may hold; how many that was.

        No ``unique_id`` may come twice: Klaviyo may refuse the whole request for it.

        Raises:
            KlaviyoRefused: nothing was taken; it names the events at fault where Klaviyo did.
        """

    def send_event(self, event: MetricEvent) -> None:
        """Send one event; Klaviyo drops a repeat of its ``unique_id``.

        Raises:
            KlaviyoRefused: Klaviyo will not take it.
        """

    def import_profile(self, profile: ProfileState) -> None:
        """Create or update one profile, synchronously.

        Raises:
            KlaviyoRefused: Klaviyo will not take it.
        """


class Klaviyo(Protocol):
    """Opens Klaviyo for a program's connection."""

    def open(self, program: Program) -> KlaviyoApi:
        """A client that speaks for the program's connection.

        Raises:
            Misconfigured: there is no connection, or its credential cannot be decrypted.
            KlaviyoAccessLost, KlaviyoUnavailable: as ``Credentials`` says.
        """

    def holding(self, program: ProgramSlug, mode: ConnectionMode, secret: str) -> KlaviyoApi:
        """A client that speaks with this very secret, before or after it is the program's connection."""
