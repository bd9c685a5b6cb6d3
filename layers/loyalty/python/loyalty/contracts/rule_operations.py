"""The operations of the HTTP API about earning rules, and about what the review rule decided."""

from __future__ import annotations

from loyalty.contracts.operation import Operation
from loyalty.contracts.review_decisions import MemberReviewsDocument, ReviewDecisionDocument, ReviewsPageForm
from loyalty.contracts.review_rule import EarningRulesDocument, ReviewRuleDocument, ReviewRuleForm

_PROGRAM = "/programs/{slug}"
_RULE = f"{_PROGRAM}/earning-rules/review"

RULE_OPERATIONS = (
    Operation(
        "list_earning_rules",
        "GET",
        f"{_PROGRAM}/earning-rules",
        "Every way to earn points, and what each needs",
        "admin",
        EarningRulesDocument,
    ),
    Operation("read_review_rule", "GET", _RULE, "The review rule", "admin", ReviewRuleDocument),
    Operation(
        "change_review_rule",
        "PUT",
        _RULE,
        "Create or edit the review rule",
        "admin",
        ReviewRuleDocument,
        body=ReviewRuleForm,
        headers=("If-Match",),
        details=(
            "If-Match names the version of the settings that was read. The edit holds for reviews written from now on. "
            "A rule that is on needs its review app within reach; the refusal has connect_url."
        ),
        example={
            "enabled": True,
            "points": 50,
            "verified_only": True,
            "app": "klaviyo_flow",
            "limit": {"reviews": 2, "period": "month"},
        },
        errors=(409,),
    ),
    Operation(
        "remove_review_rule",
        "DELETE",
        _RULE,
        "Remove the review rule: reviews written from now on earn nothing",
        "admin",
        ReviewRuleDocument,
        headers=("If-Match",),
    ),
    Operation(
        "read_review_decision",
        "GET",
        f"{_PROGRAM}/reviews/{{review_id}}/decision",
        "Why a review earned points, or none",
        "members:read",
        ReviewDecisionDocument,
        details="By the review's id or its event's. For a review that never arrived: what stands in its way.",
        errors=(400,),
    ),
    Operation(
        "read_member_reviews",
        "GET",
        f"{_PROGRAM}/members/{{email}}/reviews",
        "The decisions on a member's reviews, newest review first",
        "members:read",
        MemberReviewsDocument,
        query=ReviewsPageForm,
    ),
)
