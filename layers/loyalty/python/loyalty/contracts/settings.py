"""A program's settings as a document: read and replaced as a whole, by the version that was read (R123, R130)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from loyalty.contracts.email_channels import ChannelsForm, channel_facts, channels_of
from loyalty.contracts.forms import Form, Refused, Told, Words
from loyalty.contracts.keys import KeyDocument
from loyalty.contracts.names import NamesForm, check_names, name_facts, names_of
from loyalty.contracts.offers import RewardForms, TierForms, facts_of, rewards_of, tiers_of
from loyalty.contracts.review_rule import ReviewRuleForm, review_rule_form
from loyalty.domain.adjustments import AdjustmentRule, UnknownMember
from loyalty.domain.catalogue import EVENT_TYPES
from loyalty.domain.ledger.amounts import MAX_POINTS
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Overdraft
from loyalty.domain.moments import local_date
from loyalty.domain.naming import PRESETS
from loyalty.domain.program import Program

Points = Annotated[int, Field(gt=0, le=MAX_POINTS)]

_DAYS = dict.fromkeys(range(1, 13), 31) | dict.fromkeys((4, 6, 9, 11), 30) | {2: 29}


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Refused("unknown_timezone", "Use a name of the IANA database, such as Europe/Berlin") from None
    return name


def _preset(name: str) -> str:
    if name not in PRESETS:
        raise Refused("unknown_naming", f"Use one of {', '.join(sorted(PRESETS))}")
    return name


def _event_type(name: str) -> str:
    if name not in EVENT_TYPES:
        raise Refused("unknown_event_type", "The event catalogue has no such type")
    return name


def _once_each(days: list[int]) -> list[int]:
    if len(set(days)) != len(days):
        raise Refused("repeated", "Each number of days once")
    return days


class NoExpiryForm(Form):
    """Points live for ever."""

    policy: Literal["none"]


class _PeriodForm(Form):
    months: Annotated[int, Field(ge=0, le=120)] = 0
    days: Annotated[int, Field(ge=0, le=3660)] = 0

    @model_validator(mode="after")
    def _has_length(self) -> _PeriodForm:
        if not self.months and not self.days:
            raise Refused("no_period", "A period has months, days, or both")
        return self


class AfterEarningForm(_PeriodForm):
    """Points live for a period after the day they were earned."""

    policy: Literal["after_earning"]


class InactivityForm(_PeriodForm):
    """The whole balance lives for a period after the last earning or spending."""

    policy: Literal["inactivity"]


class CalendarForm(Form):
    """Points expire on one day of the year, the first one at least ``keep_days`` after they were earned."""

    policy: Literal["calendar"]
    month: Annotated[int, Field(ge=1, le=12)]
    day: Annotated[int, Field(ge=1, le=31)]
    keep_days: Annotated[int, Field(ge=0, le=366)] = 0

    @model_validator(mode="after")
    def _exists(self) -> CalendarForm:
        if self.day > _DAYS[self.month]:
            raise Refused("no_such_day", "This month is shorter")
        return self


ExpiryForm = Annotated[
    NoExpiryForm | AfterEarningForm | InactivityForm | CalendarForm,
    Field(discriminator="policy", description="When points expire."),
]


class AdjustmentRuleForm(Form):
    """How balance adjustments by API and by flows are taken."""

    unknown_member: Annotated[
        Literal["candidate", "member", "refuse"],
        Field(description="What an increase for an unknown address does: bring the customer in as this, or refuse."),
    ]
    derived_keys: Annotated[
        bool,
        Field(
            description="Whether an item that a flow sends without an idempotency key counts once in 24 hours for the "
            "same flow, member, amount and reason."
        ),
    ]


class SettingsForm(Form):
    """All settings of a program."""

    name: Annotated[Words, Field(max_length=100, examples=["Candle Club"])]
    timezone: Annotated[
        str, AfterValidator(_timezone), Field(description="Where the program's days begin and end.", examples=["UTC"])
    ]
    expiry: ExpiryForm
    balance_cap: Annotated[Points | None, Field(description="The most points a member may have; null is no limit.")]
    overdraft: Annotated[
        Literal["refuse", "floor_at_zero", "allow_negative"],
        Field(description="What happens when more points are to be taken than a member has."),
    ]
    restored_days: Annotated[
        int, Field(ge=1, le=3660, description="How long points live at least that come back after their last day.")
    ]
    warning_days: Annotated[
        list[Annotated[int, Field(ge=1, le=365)]],
        AfterValidator(_once_each),
        Field(max_length=5, description="Days before their last day on which members are warned of points."),
    ]
    warned_first: Annotated[
        bool, Field(description="Whether points only expire after the last warning has had its days.")
    ]
    birthday_points: Annotated[
        int, Field(ge=0, le=MAX_POINTS, description="Points for a member's birthday; 0 for none.", examples=[0])
    ]
    review_rule: ReviewRuleForm
    naming: Annotated[
        str, AfterValidator(_preset), Field(description="Preset of names in Klaviyo.", examples=["tallyhook"])
    ]
    names: Annotated[NamesForm, Field(description="Names that differ from the preset's.")]
    events_off: Annotated[
        list[Annotated[str, AfterValidator(_event_type)]],
        Field(description="Event types that are not sent to Klaviyo.", max_length=len(EVENT_TYPES)),
    ]
    newcomers: Annotated[
        Literal["candidate", "member"], Field(description="What a customer is whom a review brings in.")
    ]
    adjustment_rule: AdjustmentRuleForm
    rewards: RewardForms
    tiers: TierForms
    channels: Annotated[ChannelsForm, Field(description="Who sends which e-mail; the health document names doubles.")]
    shows_in_customer_hub: Annotated[
        bool, Field(description="Whether the store's Customer Hub shows the program; only the merchant can see that.")
    ]

    @model_validator(mode="after")
    def _names_are_distinct(self) -> SettingsForm:
        check_names(self.naming, self.names)
        return self


class NewProgramForm(Form):
    """A program to open; everything else starts with defaults that are useful at once."""

    slug: Annotated[
        str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", description="The program's place in URLs.")
    ]
    name: Annotated[Words, Field(max_length=100, examples=["Candle Club"])]
    timezone: Annotated[str, AfterValidator(_timezone), Field(examples=["Europe/Berlin"])] = "UTC"


class TechnicalDocument(Told):
    """What a merchant's developer needs (Settings > Technical)."""

    slug: str
    api_keys: tuple[KeyDocument, ...]


class EntitlementsForm(Form):
    """What the operator's offer includes for a program."""

    klaviyo: Annotated[bool, Field(description="Whether the program may connect to Klaviyo.")]


class ProgramDocument(Told):
    """A program with its settings; ``version`` is what a change names in ``If-Match``."""

    slug: str
    version: Annotated[int, Field(description="Also the answer's ETag.")]
    created_at: str
    settings: SettingsForm
    technical: TechnicalDocument
    entitlements: EntitlementsForm


class OpenedProgramDocument(Told):
    """A new program with its first key, the only time that is shown."""

    program: ProgramDocument
    api_key: Annotated[str, Field(description="A key with every scope; store it now.")]


def settings_form(program: Program) -> SettingsForm:
    """A program's settings as they are shown."""
    terms, adjustment = program.terms, program.adjustment_rule
    return SettingsForm.model_validate(
        {
            "name": program.name,
            "timezone": terms.timezone,
            "expiry": _expiry_facts(terms.expiry),
            "balance_cap": terms.balance_cap,
            "overdraft": terms.overdraft.value,
            "restored_days": terms.restored_days,
            "warning_days": list(terms.warning_days),
            "warned_first": terms.warned_first,
            "birthday_points": terms.birthday.points,
            "review_rule": review_rule_form(program.review_rule),
            "naming": program.naming,
            "names": name_facts(program.names),
            "events_off": sorted(program.events_off),
            "newcomers": program.newcomers.value,
            "adjustment_rule": {
                "unknown_member": adjustment.unknown_member.value,
                "derived_keys": adjustment.derived_keys,
            },
            "rewards": facts_of(program.rewards),
            "tiers": facts_of(program.tiers),
            "channels": channel_facts(program.channels),
            "shows_in_customer_hub": program.shows_in_customer_hub,
        }
    )


def with_settings(program: Program, form: SettingsForm, now: datetime) -> Program:
    """A program with other settings from ``now`` on; the same one when nothing differs.

    A changed expiry policy is a new revision that members follow; a changed review rule is a new version of it.
    """
    today = local_date(now, form.timezone)
    terms = replace(
        program.terms.with_expiry(_policy(form.expiry), today),
        timezone=form.timezone,
        balance_cap=form.balance_cap,
        overdraft=Overdraft(form.overdraft),
        restored_days=form.restored_days,
        warning_days=tuple(sorted(form.warning_days, reverse=True)),
        warned_first=form.warned_first,
        birthday=program.terms.birthday.paying(form.birthday_points, today),
    )
    changed = replace(
        program,
        name=form.name.strip(),
        terms=terms,
        review_rule=program.review_rule.edited(form.review_rule.rule(), now),
        naming=form.naming,
        names=names_of(form.names),
        events_off=frozenset(form.events_off),
        newcomers=Standing(form.newcomers),
        adjustment_rule=AdjustmentRule(
            UnknownMember(form.adjustment_rule.unknown_member), form.adjustment_rule.derived_keys
        ),
        rewards=rewards_of(form.rewards),
        tiers=tiers_of(form.tiers),
        channels=channels_of(form.channels),
        shows_in_customer_hub=form.shows_in_customer_hub,
    )
    return program if changed == program else replace(changed, version=program.version + 1)


def _policy(form: NoExpiryForm | AfterEarningForm | InactivityForm | CalendarForm) -> ExpiryPolicy:
    match form:
        case NoExpiryForm():
            return NoExpiry()
        case AfterEarningForm():
            return AfterEarning(Period(form.months, form.days))
        case InactivityForm():
            return Inactivity(Period(form.months, form.days))
        case CalendarForm():
            return Calendar(form.month, form.day, form.keep_days)


def _expiry_facts(policy: ExpiryPolicy) -> Mapping[str, Any]:
    match policy:
        case NoExpiry():
            return {"policy": "none"}
        case AfterEarning(period):
            return {"policy": "after_earning", "months": period.months, "days": period.days}
        case Inactivity(period):
            return {"policy": "inactivity", "months": period.months, "days": period.days}
        case Calendar(month, day, keep_days):
            return {"policy": "calendar", "month": month, "day": day, "keep_days": keep_days}
