"""Identity: slugs, ids, and the one form in which an e-mail address is compared (R33)."""

import pytest

from loyalty.domain.errors import Invalid
from loyalty.domain.identity import (
    MAX_EMAIL_LENGTH,
    MemberId,
    ProgramSlug,
    alias_digest,
    entry_id,
    member_id_for,
    normalise_email,
    program_slug,
    split_entry_id,
)

SLUG = ProgramSlug("candles")


@pytest.mark.parametrize("text", ["a", "candle-club", "0", "a-1", "a" * 63])
def test_slugs_are_lower_case_letters_digits_and_inner_hyphens(text: str) -> None:
    assert program_slug(text) == text


@pytest.mark.parametrize(
    "text", ["", "-a", "a-", "A", "a_b", "a b", "ä", "a" * 64, "a\n", "a#b", "\N{ARABIC-INDIC DIGIT SEVEN}"]
)
def test_other_slugs_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        program_slug(text)
    assert error.value.code == "invalid_slug"
    assert str(error.value) == "A program slug is 1 to 63 lower-case letters, digits and inner hyphens."


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sarah.mason@klaviyo-demo.com", "sarah.mason@klaviyo-demo.com"),
        ("  Sarah.Mason@Klaviyo-Demo.COM\n", "sarah.mason@klaviyo-demo.com"),
        ("sarah+club@mail.klaviyo-demo.co.uk", "sarah+club@mail.klaviyo-demo.co.uk"),
        ("o'hara_1@x-1.io", "o'hara_1@x-1.io"),
        ("a@b.xn--p1ai", "a@b.xn--p1ai"),
        ("a" * (MAX_EMAIL_LENGTH - 5) + "@b.io", "a" * 94 + "@b.io"),
    ],
)
def test_addresses_are_trimmed_and_lower_cased(text: str, address: str) -> None:
    """R33: addresses that differ by case or space are one member."""
    assert normalise_email(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sarah",
        "@klaviyo-demo.com",
        "sarah@",
        "sarah@klaviyo-demo",
        "sarah@klaviyo-demo.c",
        "sarah@-klaviyo.com",
        "sarah@klaviyo-.com",
        "sarah@klaviyo..com",
        "sarah@.com",
        "sarah@klaviyo.com.",
        "sarah@klaviyo.1com",
        "sarah@klaviyo.co-",
        "sarah mason@klaviyo.com",
        "sarah@mason@klaviyo.com",
        "sarah@klaviyo.com, bill@klaviyo.com",
        "Sarah <sarah@klaviyo.com>",
        '"sarah"@klaviyo.com',
        "sarah%20@klaviyo.com",
        "sarah@klav_iyo.com",
        "sarah\x00@klaviyo.com",
        "sarah\x7f@klaviyo.com",
        "sarah@klaviyo.com\x00",
        "a" * (MAX_EMAIL_LENGTH - 4) + "@b.io",
    ],
)
def test_what_klaviyo_would_not_take_is_refused(text: str) -> None:
    """100 characters and more are refused with the rest (Klaviyo's Events API overview)."""
    with pytest.raises(Invalid) as error:
        normalise_email(text)
    assert error.value.code == "invalid_email"
    assert str(error.value) == "This is not an e-mail address that Klaviyo accepts."


@pytest.mark.parametrize(
    "text",
    [
        "sarah@\N{KELVIN SIGN}laviyo.com",
        "s\N{CYRILLIC SMALL LETTER A}rah@klaviyo.com",
        "\N{LATIN SMALL LETTER LONG S}arah@klaviyo.com",
        "\N{FULLWIDTH LATIN SMALL LETTER S}arah@klaviyo.com",
        "sarah@klaviyo\N{IDEOGRAPHIC FULL STOP}com",
        "sarah\N{ZERO WIDTH SPACE}@klaviyo.com",
        "sarah@klaviyo.com\N{RIGHT-TO-LEFT OVERRIDE}",
        "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}da@klaviyo.com",
    ],
)
def test_letters_that_look_or_lower_case_like_others_do_not_pass_for_them(text: str) -> None:
    """The Kelvin sign lower-cases to an ASCII k: it must not reach the member whose address has one."""
    with pytest.raises(Invalid) as error:
        normalise_email(text)
    assert error.value.code == "invalid_email"


@pytest.mark.parametrize("text", ["{{ person.email }}", "{{email}}", "x{{", "{% if person %}a@b.io{% endif %}", "{%"])
def test_template_text_is_told_from_other_mistakes(text: str) -> None:
    """Klaviyo's flow left it unrendered; the message says what to write instead."""
    with pytest.raises(Invalid) as error:
        normalise_email(text)
    assert error.value.code == "unrendered_template"
    assert str(error.value) == (
        "The e-mail is template text that Klaviyo did not render; use {{ person.email }} in the flow's body."
    )


def test_a_member_id_is_derived_from_program_address_and_generation_with_a_secret() -> None:
    ids = {
        member_id_for("secret", SLUG, normalise_email("a@b.io")),
        member_id_for("secret", SLUG, normalise_email("a@b.io"), 1),
        member_id_for("secret", SLUG, normalise_email("c@b.io")),
        member_id_for("secret", ProgramSlug("soaps"), normalise_email("a@b.io")),
        member_id_for("other", SLUG, normalise_email("a@b.io")),
    }
    assert len(ids) == 5
    assert all(len(member_id) == 26 and member_id.isalnum() and member_id.islower() for member_id in ids)


def test_a_member_id_is_the_same_for_ever() -> None:
    """Members are found by deriving it again: it can never change."""
    assert member_id_for("secret", SLUG, normalise_email("a@b.io")) == "ztqoc6tms7tjti5uhmbsqtddba"
    assert member_id_for("secret", SLUG, normalise_email("a@b.io"), 0) == "ztqoc6tms7tjti5uhmbsqtddba"


def test_an_aliass_digest_depends_on_secret_kind_and_value() -> None:
    digests = {
        alias_digest("secret", "phone", "+49151"),
        alias_digest("other", "phone", "+49151"),
        alias_digest("secret", "external_id", "+49151"),
        alias_digest("secret", "phone", "+49152"),
    }
    assert len(digests) == 4
    assert all(len(text) == 64 for text in digests)


def test_an_entry_id_can_be_taken_apart_again() -> None:
    assert entry_id(MemberId("sarah"), 7) == "sarah-0000000007"
    assert split_entry_id("sarah-0000000007") == ("sarah", 7)
    assert split_entry_id("sa-rah-1234567890") == ("sa-rah", 1234567890)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sarah",
        "-0000000007",
        "sarah-7",
        "sarah-00000000007",
        "sarah-000000000x",
        "sarah0000000007",
        "s-" + "\N{ARABIC-INDIC DIGIT SEVEN}" * 10,
    ],
)
def test_what_is_no_entry_id_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        split_entry_id(text)
    assert error.value.code == "invalid_entry_id"
    assert str(error.value) == "This is not a journal entry id."
