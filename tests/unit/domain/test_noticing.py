"""Facts without points: notices, identity, standing, erasure, merging, re-dating (R25, R40, R181, W13)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.caps import CapPeriod, EarnCap
from loyalty.domain.ledger.commands import (
    Adjust,
    Earn,
    Erase,
    Expire,
    Identify,
    MergeIn,
    MergeOut,
    Notify,
    Pend,
    PlaceHold,
    Redate,
    Release,
    Reverse,
    Spend,
    Warn,
)
from loyalty.domain.ledger.entry import EntryKind
from loyalty.domain.ledger.expiry import AfterEarning, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Earned, Hold, Member, Pending, Profile, Standing, Warned
from loyalty.domain.ledger.terms import Overdraft, Terms
from tests.fakes.clocks import START
from tests.journey import Journey
from tests.standings import in_standing

SOON = START + timedelta(days=3)
MONTH = AfterEarning(Period(days=30))
EXPIRING = Terms(expiry=MONTH)


def test_a_notice_moves_no_points() -> None:
    sarah = Journey()
    sarah.does(Earn(5))
    active = sarah.member.last_activity_at
    entry = sarah.waits(hours=1).does(Notify("points_expiring_soon"))
    assert (entry.kind, entry.points, entry.effect.topic) == (EntryKind.NOTICE, 0, "points_expiring_soon")
    assert (sarah.amounts, sarah.member.version) == (Amounts(available=5, earned=5), 2)
    assert sarah.member.last_activity_at == active


@pytest.mark.parametrize("standing", [Standing.EXCLUDED, Standing.ERASED, Standing.MERGED])
def test_nobody_is_told_anything_who_takes_no_part(standing: Standing) -> None:
    assert in_standing(standing).refuses(Notify("warned")).code == f"member_{standing.value}"


def test_a_warning_is_noted_once_for_each_threshold_and_date() -> None:
    """R67, R72: a nearer threshold is another warning, the same or a farther one is none."""
    sarah = Journey(EXPIRING)
    sarah.does(Earn(5))
    entry = sarah.waits(days=10).does(Warn("2026-04-01", 20))
    assert (entry.kind, entry.points, entry.effect.topic) == (EntryKind.NOTICE, 0, "expiry_warning")
    assert entry.effect.warned == {"2026-04-01": Warned(20, "2026-03-12")}
    assert sarah.member.warned == {"2026-04-01": Warned(20, "2026-03-12")}
    for days in (20, 21):
        refusal = sarah.refuses(Warn("2026-04-01", days))
        assert refusal.code == "nothing_to_warn_of"
        assert refusal.message == "No points expire on this day that the member was not told of."
    sarah.waits(days=1).does(Warn("2026-04-01", 19))
    assert sarah.member.warned == {"2026-04-01": Warned(19, "2026-03-13")}


def test_nobody_is_warned_of_a_date_without_points() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(1))
    assert sarah.refuses(Warn("2026-04-02", 20)).code == "nothing_to_warn_of"
    assert sarah.does(Warn("2026-04-01", 20)).points == 0


def test_the_excluded_are_not_warned() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(5))
    assert in_standing(Standing.EXCLUDED, sarah).refuses(Warn("2026-04-01", 20)).code == "member_excluded"


def test_identifying_sets_clears_and_keeps_profile_fields() -> None:
    sarah = Journey()
    sarah.does(Identify({"email": "sarah@klaviyo-demo.com", "phone": "+4915112345678"}))
    entry = sarah.does(Identify({"phone": "", "first_name": "Sarah"}))
    assert sarah.member.profile == Profile(email="sarah@klaviyo-demo.com", first_name="Sarah")
    assert (entry.kind, entry.effect.topic, entry.effect.standing) == (EntryKind.NOTICE, "identified", None)


def test_a_standing_is_changed_and_recorded_only_when_it_is_another() -> None:
    """R40: candidate, member, excluded, and back."""
    sarah = Journey()
    sarah.does(Earn(5))
    assert sarah.does(Identify(standing=Standing.MEMBER)).effect.standing is None
    for standing in (Standing.CANDIDATE, Standing.EXCLUDED, Standing.MEMBER):
        assert sarah.does(Identify(standing=standing)).effect.standing is standing
        assert sarah.member.standing is standing


@pytest.mark.parametrize("standing", [Standing.ERASED, Standing.MERGED])
def test_nobody_is_erased_or_merged_by_identifying(standing: Standing) -> None:
    refusal = Journey().refuses(Identify(standing=standing))
    assert refusal.code == "invalid_standing"
    assert refusal.message == "A member is erased or merged by its own command."


@pytest.mark.parametrize("standing", [Standing.ERASED, Standing.MERGED])
def test_those_who_are_gone_are_not_identified_any_more(standing: Standing) -> None:
    refusal = in_standing(standing).refuses(Identify({"first_name": "Sarah"}))
    assert refusal.code == f"member_{standing.value}"
    assert refusal.message == f"The member is {standing.value}; nothing about it can change."


def test_the_excluded_can_still_be_identified() -> None:
    sarah = in_standing(Standing.EXCLUDED)
    sarah.does(Identify({"first_name": "Sarah"}))
    assert sarah.member.profile.first_name == "Sarah"


def test_erasing_removes_the_profile_and_keeps_the_points() -> None:
    """R25."""
    sarah = Journey()
    sarah.does(Identify({"email": "sarah@klaviyo-demo.com", "birthday": "1990-02-28"}))
    sarah.does(Earn(40))
    entry = sarah.does(Erase())
    assert (entry.kind, entry.effect.topic, entry.effect.standing) == (EntryKind.NOTICE, "erased", Standing.ERASED)
    assert (sarah.member.profile, sarah.member.standing) == (Profile(), Standing.ERASED)
    assert sarah.amounts == Amounts(available=40, earned=40)
    assert sarah.refuses(Erase()).code == "member_erased"


def test_a_merged_members_name_can_be_erased_and_it_stays_merged() -> None:
    sarah = Journey()
    sarah.does(Identify({"email": "sarah@klaviyo-demo.com"}))
    in_standing(Standing.MERGED, sarah)
    assert sarah.member.profile.email == "sarah@klaviyo-demo.com"
    sarah.does(Erase())
    assert (sarah.member.profile, sarah.member.standing) == (Profile(), Standing.MERGED)
    assert sarah.member.merged_into == "bill"


def everything() -> Journey:
    """A member that has lots, an open pending and hold, a counted cap, and every kind of past."""
    sarah = Journey(EXPIRING, name="sarah")
    sarah.does(Identify({"email": "sarah@klaviyo-demo.com", "phone": "+4915112345678"}))
    sarah.does(Earn(50, rule="r", caps=(EarnCap(CapPeriod.EVER, times=9),)))
    sarah.waits(days=1).does(Earn(20))
    sarah.does(Spend(10))
    sarah.does(Adjust(-4))
    sarah.does(Pend("order", 7, SOON))
    sarah.does(PlaceHold("cart", 6, SOON))
    return sarah


def test_merging_carries_everything_over_and_sums_stay_what_they_were_together() -> None:
    """W13."""
    sarah, bill = everything(), Journey(EXPIRING, name="bill")
    sarah.under(expiry=AfterEarning(Period(days=20))).does(Notify("told"))
    bill.does(Identify({"email": "bill@klaviyo-demo.com"}))
    bill.waits(days=1).does(Earn(5, rule="r", caps=(EarnCap(CapPeriod.EVER, times=9),)))
    before, together = sarah.member, sarah.amounts + bill.amounts
    leaving = sarah.does(MergeOut("bill"))
    joining = bill.does(MergeIn(before))
    assert (leaving.kind, leaving.points) == (EntryKind.MERGE, -50)
    assert leaving.effect.lots == {"2026-04-01": -30, "2026-04-02": -20}
    assert (joining.kind, joining.points) == (EntryKind.MERGE, 50)
    assert sarah.member == replace(
        Member(before.program, before.member_id),
        version=before.version + 1,
        last_hash=leaving.hash,
        standing=Standing.MERGED,
        merged_into="bill",
        profile=before.profile,
        created_at=before.created_at,
        last_activity_at=before.last_activity_at,
        expiry_revision=1,
    )
    assert bill.amounts == together
    assert bill.lots == {"2026-04-01": 30, "2026-04-02": 25}
    assert bill.member.pendings == {"order": Pending(7, SOON)}
    assert bill.member.holds == {"cart": Hold(6, {"2026-04-01": 6}, SOON)}
    assert bill.member.earned_in == {"r|ever|never": Earned(2, 55)}
    assert bill.member.profile == Profile(email="bill@klaviyo-demo.com", phone="+4915112345678")
    assert bill.member.standing is Standing.MEMBER


def test_after_merging_what_was_begun_ends_with_the_one_who_goes_on() -> None:
    sarah, bill = everything(), Journey(EXPIRING, name="bill")
    bill.does(MergeIn(sarah.member))
    bill.does(Release("cart"))
    assert bill.lots == {"2026-04-01": 36, "2026-04-02": 20}
    spent = next(entry for entry in sarah.entries if entry.kind is EntryKind.SPEND)
    bill.does(Reverse(spent))
    assert bill.lots == {"2026-04-01": 46, "2026-04-02": 20}


@pytest.mark.parametrize(("own", "debt", "left"), [(40, -15, 25), (15, -15, 0), (10, -15, -5)])
def test_a_debt_that_comes_in_is_paid_from_the_soonest_points(own: int, debt: int, left: int) -> None:
    indebted = Journey(replace(EXPIRING, overdraft=Overdraft.ALLOW_NEGATIVE), name="sarah")
    indebted.does(Adjust(debt))
    bill = Journey(EXPIRING, name="bill")
    bill.does(Earn(own // 2))
    bill.waits(days=1).does(Earn(own - own // 2))
    bill.does(MergeIn(indebted.member))
    assert bill.amounts.available == left
    assert bill.lots == ({"2026-04-01": own // 2 + debt, "2026-04-02": own - own // 2} if left > 0 else {})


@pytest.mark.parametrize(("debt", "points", "lots"), [(-15, 40, {"2026-04-01": 25}), (-15, 15, {}), (-15, 9, {})])
def test_points_that_come_in_pay_the_debt_of_the_one_who_goes_on(debt: int, points: int, lots: dict[str, int]) -> None:
    bill = Journey(replace(EXPIRING, overdraft=Overdraft.ALLOW_NEGATIVE), name="bill")
    bill.does(Adjust(debt))
    sarah = Journey(EXPIRING, name="sarah")
    sarah.does(Earn(points))
    bill.does(MergeIn(sarah.member))
    assert (bill.amounts.available, bill.lots) == (points + debt, lots)


def test_two_debts_become_one() -> None:
    terms = Terms(overdraft=Overdraft.ALLOW_NEGATIVE)
    sarah, bill = Journey(terms, name="sarah"), Journey(terms, name="bill")
    sarah.does(Adjust(-5))
    bill.does(Adjust(-6))
    bill.does(MergeIn(sarah.member))
    assert (bill.amounts.available, bill.amounts.deducted, bill.lots) == (-11, 11, {})


@pytest.mark.parametrize("standing", [Standing.EXCLUDED, Standing.ERASED, Standing.MERGED])
def test_neither_side_of_a_merge_may_be_excluded_or_gone(standing: Standing) -> None:
    for action in (MergeOut("bill"), MergeIn(Journey(name="other").member)):
        assert in_standing(standing).refuses(action).code == f"member_{standing.value}"


def test_open_claims_of_one_name_keep_two_members_apart_until_they_close() -> None:
    sarah, bill = Journey(name="sarah"), Journey(name="bill")
    sarah.does(Earn(5))
    sarah.does(PlaceHold("x", 1, SOON))
    bill.does(Pend("x", 1, SOON))
    refusal = bill.refuses(MergeIn(sarah.member))
    assert refusal.code == "claims_collide"
    assert refusal.message == "Both members have open pendings or holds of one name, or too many of them."


@pytest.mark.parametrize(("own", "theirs", "fits"), [(40, 60, True), (41, 60, False)])
def test_two_members_claims_together_stay_within_the_limit(own: int, theirs: int, *, fits: bool) -> None:
    sarah, bill = Journey(name="sarah"), Journey(name="bill")
    sarah.does(Earn(1))
    for number in range(theirs - 1):
        sarah.does(Pend(f"theirs-{number}", 1, SOON))
    sarah.does(PlaceHold("cart", 1, SOON))
    bill.does(Earn(1))
    for number in range(own - 1):
        bill.does(Pend(f"own-{number}", 1, SOON))
    bill.does(PlaceHold("own-cart", 1, SOON))
    if fits:
        bill.does(MergeIn(sarah.member))
    else:
        assert bill.refuses(MergeIn(sarah.member)).code == "claims_collide"


def test_redating_brings_the_lots_to_the_new_policy_and_remembers_that() -> None:
    """Trap 3: points without a date get one when expiry is turned on, counted from that day."""
    sarah = Journey()
    sarah.does(Earn(30))
    sarah.waits(days=3).under(expiry=MONTH)
    entry = sarah.waits(days=2).does(Redate())
    assert (entry.kind, entry.points, entry.effect.topic) == (EntryKind.NOTICE, 0, "redated")
    assert entry.effect.redated == {"2026-04-04": 30, NEVER: -30}
    assert (sarah.lots, sarah.member.expiry_revision) == ({"2026-04-04": 30}, 1)
    refusal = sarah.refuses(Redate())
    assert refusal.code == "nothing_to_redate"
    assert refusal.message == "The lots follow the present expiry policy already."


def test_each_redating_follows_one_change() -> None:
    sarah = Journey()
    sarah.does(Earn(30))
    for policy in (MONTH, NoExpiry(), Inactivity(Period(days=7))):
        sarah.waits(days=1).under(expiry=policy)
    dates = [sarah.does(Redate()).effect.redated for _ in range(3)]
    assert dates == [
        {"2026-04-02": 30, NEVER: -30},
        {"2026-04-02": -30, NEVER: 30},
        {"2026-03-12": 30, NEVER: -30},
    ]
    assert sarah.member.expiry_revision == 3


def test_the_first_posting_notes_the_policy_its_points_follow() -> None:
    sarah = Journey().under(expiry=MONTH)
    entry = sarah.does(Earn(5))
    assert (entry.effect.expiry_revision, sarah.member.expiry_revision) == (1, 1)
    assert sarah.does(Earn(5)).effect.expiry_revision is None


def test_a_posting_that_leaves_points_on_old_dates_does_not_claim_the_new_policy() -> None:
    """Identifying or expiring comes before the lots have followed: they still must."""
    sarah = Journey()
    sarah.does(Earn(30))
    sarah.under(expiry=MONTH)
    assert sarah.does(Identify({"first_name": "Sarah"})).effect.expiry_revision is None
    assert sarah.member.expiry_revision == 0
    sarah.does(Redate())
    assert sarah.lots == {"2026-04-01": 30}


def test_a_posting_notes_a_policy_that_moves_no_points() -> None:
    sarah = Journey(EXPIRING)
    sarah.does(Earn(30))
    sarah.under(expiry=AfterEarning(Period(days=1)))
    assert sarah.does(Notify("warned")).effect.expiry_revision == 1


def test_a_merged_away_member_follows_no_policy() -> None:
    sarah = Journey()
    sarah.does(Earn(5))
    sarah.under(expiry=MONTH)
    entry = sarah.does(MergeOut("bill"))
    assert (entry.effect.expiry_revision, entry.effect.redated) == (None, {})
    assert sarah.member.expiry_revision == 0


def test_taking_over_a_hundred_lots_merges_them_in_the_same_posting() -> None:
    sarah, bill = Journey(EXPIRING, name="sarah"), Journey(EXPIRING, name="bill")
    for journey in (sarah, bill.waits(days=60)):
        for _ in range(60):
            journey.does(Earn(1))
            journey.waits(days=1)
    bill.does(MergeIn(sarah.member))
    assert len(bill.lots) == 100
    assert sum(bill.lots.values()) == 120


def test_merging_leaves_overdue_points_overdue() -> None:
    sarah, bill = Journey(EXPIRING, name="sarah"), Journey(EXPIRING, name="bill")
    sarah.does(Earn(5))
    bill.waits(days=40).does(MergeIn(sarah.member))
    assert bill.does(Expire(bill.today - timedelta(days=1))).points == -5


def test_members_are_told_apart_by_id() -> None:
    assert Journey(name="bill").member.member_id == MemberId("bill")
