"""Every key string of the table (docs/data-model.md). Pure functions; no key is ever parsed to learn a value.

Slugs and member ids cannot hold ``#``, so no two different inputs give the same key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from loyalty.domain.identity import MemberId, ProgramSlug, entry_id
from loyalty.domain.moments import utc_text

OWED_SHARDS = 4
DUE_SHARDS = 16

FEED_INDEX = "feed"
DUE_INDEX = "due"
ROSTER_INDEX = "roster"


@dataclass(frozen=True, slots=True)
class Key:
    """A primary key."""

    pk: str
    sk: str


def program_pk(slug: ProgramSlug) -> str:
    """Partition of a program's settings and connection."""
    return f"PROGRAM#{slug}"


def settings(slug: ProgramSlug) -> Key:
    """A program's settings."""
    return Key(program_pk(slug), "SETTINGS")


def connection(slug: ProgramSlug) -> Key:
    """A program's connection to Klaviyo."""
    return Key(program_pk(slug), "CONNECTION")


def review_feed(slug: ProgramSlug, source: str) -> Key:
    """A review app's access to a program."""
    return Key(program_pk(slug), f"FEED#{source}")


def api_key(key_id: str) -> Key:
    """An API key."""
    return Key(f"KEY#{key_id}", "KEY")


def api_keys_pk(slug: ProgramSlug) -> str:
    """Partition of a program's list of API keys."""
    return f"KEYS#{slug}"


def api_key_listed(slug: ProgramSlug, key_id: str) -> Key:
    """A key's place in its program's list."""
    return Key(api_keys_pk(slug), key_id)


def request_count(key_id: str, minute: datetime) -> Key:
    """How many requests an API key has made in one minute."""
    return Key(f"RATE#{key_id}#{utc_text(minute)[:16]}", "RATE")


def unfinished(slug: ProgramSlug, digest: str) -> Key:
    """A request without idempotency keys that did not get through to its end."""
    return Key(f"UNFINISHED#{slug}#{digest}", "UNFINISHED")


def account_claim(account_id: str) -> Key:
    """The program that a Klaviyo account belongs to (R10)."""
    return Key(f"ACCOUNT#{account_id}", "ACCOUNT")


def oauth(digest: str) -> Key:
    """An OAuth attempt or start ticket, by the digest of its secret."""
    return Key(f"OAUTH#{digest}", "OAUTH")


def connection_notes(slug: ProgramSlug) -> Key:
    """When a program's connection last worked."""
    return Key(f"HEALTH#{slug}", "HEALTH")


def calls(slug: ProgramSlug, operation: str) -> Key:
    """The recent calls to one of Klaviyo's operations."""
    return Key(f"CALLS#{slug}#{operation}", "CALLS")


def reconciliation(slug: ProgramSlug) -> Key:
    """How far a program's reviews were looked through."""
    return Key(f"HEALTH#{slug}", "REVIEWS")


def replay(slug: ProgramSlug) -> Key:
    """How far a program's replay of events is."""
    return Key(f"REPLAY#{slug}", "REPLAY")


def sent_events(slug: ProgramSlug) -> Key:
    """How many events of each type Klaviyo has taken of a program (R96)."""
    return Key(f"HEALTH#{slug}", "SENT")


def member_pk(slug: ProgramSlug, member_id: MemberId) -> str:
    """Partition of a member and its journal."""
    return f"MEMBER#{slug}#{member_id}"


def member(slug: ProgramSlug, member_id: MemberId) -> Key:
    """A member, or the redirect of an address's derived id."""
    return Key(member_pk(slug, member_id), "MEMBER")


def profile_jobs_pk(slug: ProgramSlug) -> str:
    """Partition of a program's bulk imports of profiles."""
    return f"JOBS#{slug}"


def profile_job(slug: ProgramSlug, job_id: str) -> Key:
    """A bulk import whose end has not been seen."""
    return Key(profile_jobs_pk(slug), f"JOB-{job_id}")


def job_contents(slug: ProgramSlug, job_id: str) -> Key:
    """The members that a bulk import holds."""
    return Key(profile_jobs_pk(slug), f"SENT-{job_id}")


def full_sync(slug: ProgramSlug) -> Key:
    """A program's newest full sync."""
    return Key(f"SYNC#{slug}", "SYNC")


def roster_pk(slug: ProgramSlug) -> str:
    """Roster partition of a program: all its members, by id. Ids are random, so a busy partition divides well."""
    return f"ROSTER#{slug}"


def entry(slug: ProgramSlug, member_id: MemberId, seq: int) -> Key:
    """A journal entry; ten digits keep the text order the number order."""
    return Key(member_pk(slug, member_id), entry_sk(seq))


def entry_sk(seq: int) -> str:
    """Sort key of entry number ``seq``."""
    return f"ENTRY#{seq:010d}"


def record(slug: ProgramSlug, command_key: str) -> Key:
    """An idempotency record, by the command key's text form (scope, ``#``, digest)."""
    return Key(f"IDEM#{slug}#{command_key}", "IDEM")


def alias(slug: ProgramSlug, kind: str, digest: str) -> Key:
    """The pointer from an external id or phone number to its member."""
    return Key(f"ALIAS#{slug}#{kind}#{digest}", "ALIAS")


def decision(slug: ProgramSlug, review_key: str) -> Key:
    """The decision on a review, or what leads there from another of its names."""
    return Key(f"REVIEW#{slug}#{hashlib.sha256(review_key.encode()).hexdigest()}", "DECISION")


def reviews_pk(slug: ProgramSlug, member_id: MemberId) -> str:
    """Partition of what is known of a member's reviews."""
    return f"REVIEWS#{slug}#{member_id}"


def review_listed(slug: ProgramSlug, member_id: MemberId, review_key: str, submitted_at: datetime) -> Key:
    """A review's place in its member's list: by time of submission."""
    mark = hashlib.sha256(review_key.encode()).hexdigest()[:16]
    return Key(reviews_pk(slug, member_id), f"{utc_text(submitted_at)}#{mark}")


REVIEWS_END = "~"
"""Behind every review of a member's list, and before its tally."""


def review_tally(slug: ProgramSlug, member_id: MemberId) -> Key:
    """Which reviews of a member have earned."""
    return Key(reviews_pk(slug, member_id), "~TALLY")


def review_text(slug: ProgramSlug, digest: str) -> Key:
    """Which review had a text first."""
    return Key(f"REVIEWTEXT#{slug}#{digest}", "TEXT")


def feed_pk(slug: ProgramSlug, recorded_at: datetime) -> str:
    """Feed partition of entries nothing is owed for: one a program and UTC day."""
    return f"FEED#{slug}#{utc_text(recorded_at)[:10]}"


def owed_event_pk(slug: ProgramSlug, member_id: MemberId) -> str:
    """Feed partition of entries whose event Klaviyo is owed."""
    return owed_pk(slug, "event", shard(member_id, OWED_SHARDS))


def owed_profile_pk(slug: ProgramSlug, member_id: MemberId) -> str:
    """Feed partition of members whose newest state Klaviyo lacks."""
    return owed_pk(slug, "profile", shard(member_id, OWED_SHARDS))


def owed_pk(slug: ProgramSlug, what: str, number: int) -> str:
    """One shard of what Klaviyo is owed: ``event`` or ``profile``."""
    return f"OWED#{slug}#{what}#{number}"


def entry_feed_sk(member_id: MemberId, seq: int, recorded_at: datetime) -> str:
    """Feed sort key of an entry: by time, then id."""
    return f"{utc_text(recorded_at)}#{entry_id(member_id, seq)}"


def profile_feed_sk(member_id: MemberId, owed_since: datetime) -> str:
    """Feed sort key of an owed profile: longest owed first."""
    return f"{utc_text(owed_since)}#{member_id}"


def due_pk(member_id: MemberId) -> str:
    """Due partition of a member."""
    return due_shard_pk(shard(member_id, DUE_SHARDS))


def due_shard_pk(number: int) -> str:
    """One shard of the due index."""
    return f"DUE#{number}"


def due_until(moment: datetime) -> str:
    """The end of the due sort keys at or before a time."""
    return f"{utc_text(moment)}#~"


def due_sk(slug: ProgramSlug, member_id: MemberId, due_at: datetime) -> str:
    """Due sort key: by time, then member."""
    return f"{utc_text(due_at)}#{slug}#{member_id}"


UPKEEP_PK = "UPKEEP#0"
"""Due partition of connections to look after: programs are few, and each is there once."""


def upkeep_sk(slug: ProgramSlug, upkeep_at: datetime) -> str:
    """Due sort key of a connection: by time, then program."""
    return f"{utc_text(upkeep_at)}#{slug}"


def shard(member_id: MemberId, shards: int) -> int:
    """The shard a member's work falls into; even, and the same for ever."""
    return int.from_bytes(hashlib.sha256(member_id.encode()).digest()[:4], "big") % shards
