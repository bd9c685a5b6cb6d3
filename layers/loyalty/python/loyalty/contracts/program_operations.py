"""Operations of the HTTP API about programs, settings, keys and members."""

from __future__ import annotations

from loyalty.contracts.corrections import FindForm, MergeForm, UndoForm, UndoneDocument
from loyalty.contracts.keys import IssuedKeyDocument, KeyDocument, KeyForm, KeysDocument
from loyalty.contracts.members import ActivityDocument, MemberDocument, MemberForm, PageForm
from loyalty.contracts.operation import Operation
from loyalty.contracts.settings import (
    EntitlementsForm,
    NewProgramForm,
    OpenedProgramDocument,
    ProgramDocument,
    SettingsForm,
)
from loyalty.contracts.summary import SummaryDocument

_PROGRAM = "/programs/{slug}"
_MEMBER = "/programs/{slug}/members/{email}"

PROGRAM_OPERATIONS = (
    Operation(
        "create_program",
        "POST",
        "/programs",
        "Open a program",
        "operator",
        OpenedProgramDocument,
        201,
        body=NewProgramForm,
        example={"slug": "candles", "name": "Candle Club", "timezone": "Europe/Berlin"},
    ),
    Operation("read_settings", "GET", f"{_PROGRAM}/settings", "A program's settings", "admin", ProgramDocument),
    Operation(
        "change_settings",
        "PUT",
        f"{_PROGRAM}/settings",
        "Replace a program's settings",
        "admin",
        ProgramDocument,
        body=SettingsForm,
        headers=("If-Match",),
        details=(
            "If-Match names the version that was read: without it the answer is 428, with another one 412. A changed "
            "expiry policy holds from today on: nothing expires earlier than promised."
        ),
        errors=(409,),
    ),
    Operation(
        "change_entitlements",
        "PUT",
        f"{_PROGRAM}/entitlements",
        "Say what a program's plan includes",
        "operator",
        ProgramDocument,
        body=EntitlementsForm,
        details=(
            "Where Klaviyo is not included, connecting is a 403 with code klaviyo_not_included; a connection that the "
            "program has goes on."
        ),
        example={"klaviyo": True},
        errors=(412,),
    ),
    Operation("list_keys", "GET", f"{_PROGRAM}/keys", "A program's API keys", "admin", KeysDocument),
    Operation(
        "create_key",
        "POST",
        f"{_PROGRAM}/keys",
        "Make an API key",
        "admin",
        IssuedKeyDocument,
        201,
        body=KeyForm,
        example={"name": "Klaviyo flows", "scopes": ["balance:write"]},
    ),
    Operation(
        "rotate_key",
        "POST",
        f"{_PROGRAM}/keys/{{key_id}}/rotate",
        "Make a key in the place of another",
        "admin",
        IssuedKeyDocument,
        201,
        details="Both keys are live until the old one is revoked.",
    ),
    Operation(
        "revoke_key", "DELETE", f"{_PROGRAM}/keys/{{key_id}}", "Let a key open nothing any more", "admin", KeyDocument
    ),
    Operation(
        "find_member",
        "GET",
        f"{_PROGRAM}/members",
        "A member, by the store's own id or by phone number",
        "members:read",
        MemberDocument,
        query=FindForm,
        details="Name one of the two.",
    ),
    Operation("read_member", "GET", _MEMBER, "A member's state", "members:read", MemberDocument),
    Operation(
        "change_member",
        "PUT",
        _MEMBER,
        "Change a member, or bring one in",
        "admin",
        MemberDocument,
        also=201,
        body=MemberForm,
        headers=("Idempotency-Key",),
        example={"state": "member", "first_name": "Sarah"},
    ),
    Operation(
        "read_activity",
        "GET",
        f"{_MEMBER}/activity",
        "A member's activity log, newest first",
        "members:read",
        ActivityDocument,
        query=PageForm,
    ),
    Operation(
        "read_summary",
        "GET",
        f"{_MEMBER}/summary",
        "What a member may see of the own account",
        "members:read",
        SummaryDocument,
        details="For storefronts and Klaviyo's Customer Hub. Whoever has not joined, or is excluded, is a 404.",
    ),
    Operation(
        "undo_entry",
        "POST",
        f"{_MEMBER}/undo",
        "Undo an entry of a member's journal, or a part of it",
        "admin",
        UndoneDocument,
        body=UndoForm,
        headers=("Idempotency-Key",),
        details=(
            "Points that were given are taken back; spent, taken and expired ones are given back to the lots they came "
            "from. Without an Idempotency-Key the request names itself: undoing as many points of the same entry again "
            "is answered again and does not happen again."
        ),
        example={"entry_id": "srwgd2yhhjdlfcpj6diwchnvsv-0000000001", "reason": "Given twice by mistake"},
    ),
    Operation(
        "merge_member",
        "POST",
        f"{_MEMBER}/merge",
        "Let a member go on in another one",
        "admin",
        MemberDocument,
        body=MergeForm,
        details=(
            "Both histories are kept and their points added up; either address finds the member that goes on. It "
            "cannot be undone. Where both addresses lead to one member already, nothing happens."
        ),
        example={"into": "sarah.mason@klaviyo-demo.com"},
    ),
    Operation("read_openapi", "GET", "/openapi.json", "This description", "everybody", None),
)
