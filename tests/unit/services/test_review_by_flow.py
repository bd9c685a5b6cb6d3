"""A review that a flow pays and the review rule pays too is paid once, whichever comes first (R136)."""

from __future__ import annotations

import pytest

from loyalty.contracts.klaviyo_reviews import read_review
from loyalty.services.award_review import AwardReview
from tests.deliveries import a_review_event
from tests.fakes.memory_decisions import MemoryDecisions
from tests.unit.services.test_adjust_balances import FLOW, Api, item

REVIEW_ID = f"{1:032x}"


@pytest.fixture
def api() -> Api:
    return Api()


def awarded(api: Api) -> str:
    award = AwardReview(api.programs, api.ledger, MemoryDecisions(), api.clock)
    message = read_review("candles", a_review_event(1), lambda _: "digest")
    assert message
    return award(message.to_json()).outcome


def flow_pays(api: Api, review: str = REVIEW_ID) -> bool | None:
    (result,) = api.send(item(25, key=f"review:{review}", reason="Bonus for your product review"), flow=FLOW)
    assert result.status == "posted"
    return result.replayed


def test_the_rule_first_and_the_flow_gives_its_answer_again(api: Api) -> None:
    assert awarded(api) == "awarded"
    assert flow_pays(api) is True
    assert api.points() == [50]


def test_the_flow_first_and_the_rule_finds_it_paid(api: Api) -> None:
    assert flow_pays(api) is False
    assert awarded(api) == "repeated"
    assert api.points() == [25]


@pytest.mark.parametrize("written", [REVIEW_ID.upper(), f"review-{REVIEW_ID}"])
def test_a_review_is_known_in_every_form_of_its_id(api: Api, written: str) -> None:
    """Klaviyo's event id is the review's behind a prefix."""
    assert awarded(api) == "awarded"
    assert flow_pays(api, written) is True


def test_another_review_is_paid_on_its_own(api: Api) -> None:
    assert awarded(api) == "awarded"
    assert flow_pays(api, "another") is False
    assert api.points() == [50, 25]
