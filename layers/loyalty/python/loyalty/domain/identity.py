"""Who is who: slugs, member ids, entry ids, and the one form in which an e-mail address is compared.

A member id is derived from the program and the first e-mail seen, so the common read needs no look-up
(docs/data-model.md). The derivation is keyed with a secret of the program: an id tells nothing about the address
and the ids of two programs never meet.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Literal, NewType

from loyalty.domain.errors import Invalid

ProgramSlug = NewType("ProgramSlug", str)
MemberId = NewType("MemberId", str)
EntryId = NewType("EntryId", str)
Email = NewType("Email", str)

MAX_EMAIL_LENGTH = 99
"""Klaviyo answers 400 for addresses of 100 characters and more (Events API overview)."""

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_EMAIL = re.compile(r"[^\s@\"(),:;<>\[\]\\{}%]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_MEMBER_ID_LENGTH = 26


@dataclass(frozen=True, slots=True)
class Address:
    """A way to name a member: by e-mail, by the store's id, by phone (E.164), or by member id (W13)."""

    kind: Literal["email", "external_id", "phone", "member"]
    value: str


def program_slug(text: str) -> ProgramSlug:
    """Check a program's slug: 1 to 63 of ``a-z``, ``0-9`` and inner hyphens.

    Raises:
        Invalid: the text is not of that form.
    """
    if not _SLUG.fullmatch(text):
        raise Invalid("A program slug is 1 to 63 lower-case letters, digits and inner hyphens.", code="invalid_slug")
    return ProgramSlug(text)


def normalise_email(text: str) -> Email:
    """Bring an address into the one form used to compare it: trimmed and lower-cased (R33).

    Raises:
        Invalid: it is no address Klaviyo would take, or template text that was left unrendered.
    """
    if "{{" in text or "{%" in text:
        raise Invalid(
            "The e-mail is template text that Klaviyo did not render; use {{ person.email }} in the flow's body.",
            code="unrendered_template",
        )
    address = text.strip()
    # Before lower-casing: the Kelvin sign becomes an ASCII k, and one address would pass for another.
    is_plain = address.isascii() and address.isprintable()
    address = address.lower()
    if not is_plain or len(address) > MAX_EMAIL_LENGTH or not _EMAIL.fullmatch(address):
        raise Invalid("This is not an e-mail address that Klaviyo accepts.", code="invalid_email")
    return Email(address)


def member_id_for(id_key: str, program: ProgramSlug, email: Email, generation: int = 0) -> MemberId:
    """Derive the id under which the member first seen with ``email`` is stored.

    ``id_key`` is the program's secret. ``generation`` counts the erasures of this address: a person who comes
    back after being erased is a new member (R25).
    """
    material = f"{program}|{email}|{generation}".encode()
    digest = hmac.new(id_key.encode(), material, hashlib.sha256).digest()
    return MemberId(base64.b32encode(digest).decode().lower()[:_MEMBER_ID_LENGTH])


def alias_digest(id_key: str, kind: str, value: str) -> str:
    """Digest under which an external id or phone number points at its member; keyed like the member id."""
    return hmac.new(id_key.encode(), f"{kind}|{value}".encode(), hashlib.sha256).hexdigest()


def entry_id(member: MemberId, seq: int) -> EntryId:
    """The public id of entry number ``seq`` of a member; Klaviyo's ``unique_id`` of the event it causes."""
    return EntryId(f"{member}-{seq:010d}")


def split_entry_id(text: str) -> tuple[MemberId, int]:
    """Take an entry id apart again.

    Raises:
        Invalid: the text is not an entry id.
    """
    member, separator, number = text.rpartition("-")
    if not separator or not member or len(number) != 10 or not number.isascii() or not number.isdigit():
        raise Invalid("This is not a journal entry id.", code="invalid_entry_id")
    return MemberId(member), int(number)
