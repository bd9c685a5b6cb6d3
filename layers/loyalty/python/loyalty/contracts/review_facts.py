"""How facts about reviews are read, whichever app or way they come from: leniently, and always to the same form.

What two ways tell of one review must compare equal: its name, the digest of its text, the product it is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from loyalty.domain.errors import Invalid
from loyalty.domain.identity import Email, alias_digest, normalise_email
from loyalty.domain.ledger.entry import digest
from loyalty.domain.moments import whole_milliseconds
from loyalty.domain.program import Program

LONGEST_NAME = 200
LONGEST_URL = 500

DigestText = Callable[[str], str]
"""Makes the digest of a review's text."""

_PREFIXED_ID = re.compile(r"(?:(?:review|rating)-)?([0-9a-f]{32})", re.IGNORECASE)
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_PRODUCT = re.compile(r".*(/products/[^/]+)")
_SECONDS = re.compile(r"[0-9]{9,10}")
_STARS = {word: stars for stars in range(1, 6) for word in (f"{stars}", f"{stars}.0")}
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


def digester(program: Program) -> DigestText:
    """What makes digests of texts for a program; no two programs' digests compare."""
    return lambda text: alias_digest(program.id_key, "review_text", text)


def text_of(value: object) -> str:
    """A text, trimmed; empty for anything that is none."""
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value.strip()
    # JSON can escape half a surrogate pair, which is no character and cannot be stored.
    return value.encode("utf-8", "replace").decode().strip()


def id_text(value: object) -> str:
    """An id, which some senders write as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value)


def plain_id(text: str) -> str:
    """An id that may appear in keys and logs: anything but plain characters is replaced by a digest."""
    return text if not text or _PLAIN_ID.fullmatch(text) else "id-" + digest("id", text.encode())[:27]


def canonical_name(value: object) -> str:
    """A review's name: Klaviyo's ids without the prefix that tells review and rating apart (R108), others plain."""
    text = id_text(value)
    known = _PREFIXED_ID.fullmatch(text) if text else None
    return known[1].lower() if known else plain_id(text)


def text_digest(text: str, digest_text: DigestText) -> str:
    """The digest of a text, the same whatever its case and spaces; empty for no text."""
    return digest_text(" ".join(text.casefold().split())) if text else ""


def product_key(url: str, external_id: str, title: str) -> str:
    """A name for a product that every way tells the same.

    All of them tell its URL, and only some its id in the store; of a URL the path counts, for a store has several
    hosts, and of the path the product's own part, for a product stands in several collections.
    """
    path = _path(url)
    for kind, text in (("url", path), ("id", external_id), ("title", title.casefold())):
        if text:
            return digest(kind, text.encode())[:22]
    return ""


def email_of(value: object, name: str) -> Email:
    """The reviewer's address; ``name`` is what the sender calls it.

    Raises:
        Invalid: ``missing_email``, ``invalid_email`` or ``unrendered_template``.
    """
    text = text_of(value)
    if not text:
        raise Invalid(f"There is no {name}, so nobody could be given points.", code="missing_email")
    return normalise_email(text)


def rating_of(value: object, name: str) -> int | None:
    """1 to 5 stars, or None where none are told.

    Raises:
        Invalid: ``invalid_rating``.
    """
    match value:
        case None | "":
            return None
        case bool():
            pass
        case int() | float() if value in (1, 2, 3, 4, 5):
            return int(value)
        case str() if value.strip() in _STARS:
            return _STARS[value.strip()]
    raise Invalid(f"{name} is not a whole number from 1 to 5.", code="invalid_rating")


def truth_of(value: object) -> bool:
    """True, also as a word."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def moment_of(*values: object) -> datetime:
    """The first time among these that can be read, as ISO 8601 or as seconds since 1970, these also as a word.

    Raises:
        Invalid: ``invalid_time``.
    """
    for value in values:
        moment = _from_text(value) or _from_epoch(value)
        if moment and _FIRST_YEAR <= moment.year < _LAST_YEAR:
            return whole_milliseconds(moment)
    raise Invalid("There is no time that could be read.", code="invalid_time")


def _path(url: str) -> str:
    try:
        path = urlsplit(url).path.lower().rstrip("/")
    except ValueError:
        return ""
    product = _PRODUCT.match(path)
    return product[1] if product else path


def _from_text(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _from_epoch(value: object) -> datetime | None:
    if isinstance(value, str) and _SECONDS.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
