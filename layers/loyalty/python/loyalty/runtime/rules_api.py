"""The routes about earning rules, and about what the review rule decided."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from loyalty.contracts.forms import filled_in
from loyalty.contracts.review_decisions import PAGE, ReviewsPageForm
from loyalty.contracts.review_rule import (
    EarningRuleDocument,
    EarningRulesDocument,
    Requirement,
    ReviewRuleDocument,
    ReviewRuleForm,
    review_rule_form,
)
from loyalty.domain.api_keys import Scope
from loyalty.domain.moments import utc_text
from loyalty.domain.program import Program
from loyalty.domain.review_rule import RULE_NAME, ReviewRule
from loyalty.runtime.calls import Call, Done, etag, told
from loyalty.runtime.observability import report
from loyalty.services.admit_caller import AdmitCaller, Admitted
from loyalty.services.explain_reviews import ExplainReviews
from loyalty.services.keep_settings import KeepSettings
from loyalty.services.require_review_app import needs_of


@dataclass(frozen=True, slots=True)
class RulesApi:
    """What ``program_api`` does about rules and decisions, by operation."""

    admit: AdmitCaller
    settings: KeepSettings
    explain: ExplainReviews

    def list_earning_rules(self, call: Call, slug: str) -> Response[str]:
        """Every way to earn points (R119)."""
        program = self.admit(call.caller, slug, Scope.ADMIN).program
        review, birthday = program.review_rule, program.terms.birthday
        listed = (
            EarningRuleDocument(
                id="review",
                name=RULE_NAME,
                enabled=review.enabled,
                points=review.points,
                requires=_requirements(program, call),
            ),
            EarningRuleDocument(
                id="birthday",
                name="Celebrate a birthday",
                enabled=bool(birthday.points),
                points=birthday.points,
                requires=(),
            ),
        )
        return told(EarningRulesDocument(earning_rules=listed))

    def read_review_rule(self, call: Call, slug: str) -> Response[str]:
        """The review rule (R99)."""
        return _shown(self.admit(call.caller, slug, Scope.ADMIN).program, call)

    def change_review_rule(self, call: Call, slug: str) -> Response[str]:
        """Create or edit it; refused with a link where its review app is out of reach (R15, R100, R101)."""
        admitted = self.admit(call.caller, slug, Scope.ADMIN)
        version = call.version
        return self._changed(admitted, call, call.form(ReviewRuleForm).rule(), version)

    def remove_review_rule(self, call: Call, slug: str) -> Response[str]:
        """Back to how it begins, switched off."""
        return self._changed(self.admit(call.caller, slug, Scope.ADMIN), call, ReviewRule(enabled=False), call.version)

    def read_review_decision(self, call: Call, slug: str, review_id: str) -> Response[str]:
        """Why a review earned points, or none (R113)."""
        program = self.admit(call.caller, slug, Scope.MEMBERS_READ).program
        return told(self.explain.decision(program, unquote(review_id)))

    def read_member_reviews(self, call: Call, slug: str, email: str) -> Response[str]:
        """The decisions on a member's reviews (R113)."""
        program = self.admit(call.caller, slug, Scope.MEMBERS_READ).program
        facts = {"limit": call.number("limit", PAGE), "cursor": call.query.get("cursor") or ""}
        page: ReviewsPageForm = filled_in(ReviewsPageForm, facts, "query")
        return told(self.explain.of_member(program, unquote(email), cursor=page.cursor, limit=page.limit))

    def _changed(self, admitted: Admitted, call: Call, rule: ReviewRule, version: int) -> Response[str]:
        slug = admitted.program.slug
        program = self.settings.review_rule(admitted.program, rule, version, call.connect_url(slug))
        report(Done("review rule changed", {"program": slug, "key_id": admitted.actor, "version": program.version}))
        return _shown(program, call)


def _shown(program: Program, call: Call) -> Response[str]:
    rule = program.review_rule
    document = ReviewRuleDocument(
        name=RULE_NAME,
        version=rule.version,
        since=utc_text(rule.since) if rule.since else None,
        requires=_requirements(program, call),
        rule=review_rule_form(rule),
    )
    return told(document, etag=etag(program))


def _requirements(program: Program, call: Call) -> tuple[Requirement, ...]:
    link = call.connect_url(program.slug)
    return tuple(
        Requirement(code=need.code, met=need.met, text=need.text, link=link)
        for need in needs_of(program, program.review_rule)
    )
