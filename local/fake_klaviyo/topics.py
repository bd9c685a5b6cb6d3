"""Webhook topics that an account has before it has any metric of its own."""

REVIEW_TOPICS = (
    "event:klaviyo.ready_to_review",
    "event:klaviyo.submitted_rating",
    "event:klaviyo.submitted_review",
)
"""Present when Klaviyo Reviews is on. There is no topic for a review being published or rejected."""

_NAMES = (
    "bounced_email",
    "clicked_email",
    "clicked_sms",
    "dropped_email",
    "failed_to_deliver_sms",
    "manually_suppressed_from_email_marketing",
    "manually_unsuppressed_from_email_marketing",
    "marked_email_as_spam",
    "merged_profile",
    "opened_email",
    "received_email",
    "received_sms",
    "sent_sms",
    "subscribed_to_email_marketing",
    "subscribed_to_list",
    "subscribed_to_sms_marketing",
    "unsubscribed_from_email_marketing",
    "unsubscribed_from_sms_marketing",
    "updated_email_preferences",
)

GENERAL_TOPICS = tuple(f"event:klaviyo.{name}" for name in _NAMES)
