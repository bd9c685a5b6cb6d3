"""Terms: the history of a program's expiry policy, and which change a member has yet to follow (docs/ledger.md)."""

from datetime import date

from loyalty.domain.ledger.expiry import AfterEarning, Calendar, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.terms import Overdraft, PolicyChange, Terms

MONTH, WEEK = AfterEarning(Period(days=30)), AfterEarning(Period(days=7))
MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)


def test_terms_are_kind_to_merchants_who_set_nothing() -> None:
    """No expiry, no cap, no overdraft; points that come back late can be used for 30 days."""
    terms = Terms()
    assert (terms.timezone, terms.expiry, terms.balance_cap) == ("UTC", NoExpiry(), None)
    assert (terms.overdraft, terms.restored_days) == (Overdraft.REFUSE, 30)
    assert terms.unfollowed({NEVER: 5, "2026-03-01": 5}, 0) is None


def test_every_policy_change_is_numbered_and_the_ones_before_it_are_kept() -> None:
    terms = Terms().with_expiry(MONTH, MARCH).with_expiry(NoExpiry(), APRIL)
    assert (terms.expiry, terms.expiry_revision, terms.expiry_since) == (NoExpiry(), 2, APRIL)
    assert terms.expiry_past == (
        PolicyChange(0, NoExpiry(), date(1970, 1, 1)),
        PolicyChange(1, MONTH, MARCH),
    )


def test_setting_the_same_policy_again_is_no_change() -> None:
    terms = Terms().with_expiry(MONTH, MARCH)
    assert terms.with_expiry(AfterEarning(Period(days=30)), APRIL) is terms
    assert terms.with_expiry(Inactivity(Period(days=30)), APRIL).expiry_revision == 2


def test_the_first_change_after_a_members_revision_comes_first() -> None:
    terms = Terms().with_expiry(MONTH, MARCH).with_expiry(NoExpiry(), APRIL).with_expiry(WEEK, MAY)
    assert terms.unfollowed({NEVER: 5}, 0) == (PolicyChange(1, MONTH, MARCH), {NEVER: -5, "2026-03-31": 5})
    assert terms.unfollowed({NEVER: 5}, 2) == (PolicyChange(3, WEEK, MAY), {NEVER: -5, "2026-05-08": 5})
    assert terms.unfollowed({NEVER: 5}, 3) is None


def test_a_change_that_moves_no_points_is_passed_over() -> None:
    terms = Terms().with_expiry(MONTH, MARCH).with_expiry(NoExpiry(), APRIL)
    unfollowed = terms.unfollowed({"2026-04-20": 5}, 0)
    assert unfollowed == (PolicyChange(2, NoExpiry(), APRIL), {"2026-04-20": -5, NEVER: 5})


def test_nothing_is_to_follow_where_every_date_is_later_already() -> None:
    terms = Terms().with_expiry(Calendar(12, 31), MARCH).with_expiry(WEEK, APRIL)
    assert terms.unfollowed({"2026-12-31": 5}, 0) is None
