"""The composition root: nothing is built by importing, everything once, and a gap in the environment is named."""

from __future__ import annotations

import importlib
import sys

import pytest

from loyalty.domain.errors import Misconfigured
from loyalty.runtime import intake_container, review_container
from loyalty.runtime.settings import ReviewAwardSettings, ReviewWebhookSettings
from loyalty.runtime.use_case import UseCase
from loyalty.services.award_review import AwardReview
from loyalty.services.intake_reviews import IntakeReviews
from tests.unit.runtime.test_settings import ENVIRONMENT


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start with none of our variables, outside Lambda."""
    for name in (*ENVIRONMENT, "AWS_LAMBDA_FUNCTION_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_a_use_case_is_built_at_first_use_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    use_case = UseCase(ReviewAwardSettings, review_container.award_review)
    complete(monkeypatch)
    first = use_case()
    assert isinstance(first, AwardReview)
    assert use_case() is first


def test_a_missing_variable_is_named_at_the_first_use() -> None:
    use_case = UseCase(ReviewAwardSettings, review_container.award_review)
    with pytest.raises(Misconfigured, match="AWS_REGION, REVIEWS_QUEUE_URL, TABLE_NAME"):
        use_case()


def test_in_lambda_it_is_built_while_the_module_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    complete(monkeypatch)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "review_webhook")
    built: list[object] = []

    def build(settings: ReviewWebhookSettings) -> IntakeReviews:
        built.append(settings)
        return intake_container.intake_reviews(settings)

    use_case = UseCase(ReviewWebhookSettings, build)
    assert len(built) == 1
    assert isinstance(use_case(), IntakeReviews)
    assert len(built) == 1


def test_in_lambda_an_incomplete_environment_waits_for_the_first_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is logged and answered; an import that fails would be neither."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "review_webhook")
    use_case = UseCase(ReviewWebhookSettings, intake_container.intake_reviews)
    with pytest.raises(Misconfigured):
        use_case()


def test_another_can_be_put_in_its_place() -> None:
    use_case: UseCase[str] = UseCase(ReviewAwardSettings, lambda _: "built")
    use_case.replace("given")
    assert use_case() == "given"


@pytest.mark.parametrize("folder", ["review_webhook", "review_award"])
def test_importing_a_handler_never_fails(folder: str) -> None:
    name = f"functions.{folder}.app"
    sys.modules.pop(name, None)
    assert callable(importlib.import_module(name).lambda_handler)
