"""See to it that a connected account has exactly one webhook of ours for submitted reviews (R7, R102).

Klaviyo masks a webhook's URL and never shows its secret. So ours is known by its stored id. Where the answer to a
registration gets lost, the account is asked at once whether there is one more of our name and host; its secret is known
then. One that was registered and never stored all the same is known by name and host later, and is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from loyalty.domain.connection import Webhook
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoForbidden, KlaviyoIncompatible, KlaviyoRefused, KlaviyoUnavailable
from loyalty.ports import KlaviyoApi, Randomness, RegisteredWebhook, Vault

REVIEW_TOPICS = ("event:klaviyo.submitted_review", "event:klaviyo.submitted_rating")
"""The topics of submissions. There is none for a review being published or rejected."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What the account has after looking at it. ``created`` is the id of a webhook that did not exist before."""

    detected: bool
    allowed: bool
    webhooks: tuple[Webhook, ...]
    created: str = ""
    enabled_again: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RegisterReviewWebhook:
    """Registers, keeps and repairs the webhook of a program."""

    vault: Vault
    randomness: Randomness

    def __call__(self, api: KlaviyoApi, slug: ProgramSlug, url: str, known: Sequence[Webhook]) -> Registration:
        """Bring the account to one enabled webhook at ``url``, if it offers review topics; ``known`` are stored ones.

        Raises:
            KlaviyoUnavailable, KlaviyoUnauthorized, KlaviyoAccessLost: as the port says; doing it again is safe.
        """
        try:
            return self._looked_after(api, slug, url, known)
        except KlaviyoForbidden:
            # That says nothing of the webhook; should it still be there, what it delivers is authentic.
            return Registration(detected=False, allowed=False, webhooks=tuple(known))

    def _looked_after(self, api: KlaviyoApi, slug: ProgramSlug, url: str, known: Sequence[Webhook]) -> Registration:
        offered = api.webhook_topics()
        listed = api.webhooks()
        topics = tuple(topic for topic in REVIEW_TOPICS if topic in offered)
        kept, enabled_again = self._kept(api, url, known, listed, topics)
        for other in listed:
            if _is_ours(other, slug, url, known) and (kept is None or other.id != kept.id):
                api.delete_webhook(other.id)
        if kept is not None:
            return Registration(bool(topics), True, (kept,), enabled_again=enabled_again)
        if not topics:
            return Registration(detected=False, allowed=True, webhooks=())
        return self._registered(api, slug, url, topics, frozenset(webhook.id for webhook in listed))

    def _kept(
        self,
        api: KlaviyoApi,
        url: str,
        known: Sequence[Webhook],
        listed: Sequence[RegisteredWebhook],
        topics: tuple[str, ...],
    ) -> tuple[Webhook | None, bool]:
        there = {webhook.id: webhook for webhook in listed}
        for webhook in known:
            seen = there.get(webhook.id)
            if seen is None or not set(topics) <= set(webhook.topics):
                continue
            if seen.enabled and _host(seen.masked_url) == _host(url):
                return Webhook(webhook.id, webhook.topics, webhook.secrets), False
            try:
                api.enable_webhook(webhook.id, url=url)
            except (KlaviyoForbidden, KlaviyoIncompatible, KlaviyoRefused):
                continue
            except KlaviyoUnavailable:
                if seen.enabled:
                    raise
                return Webhook(webhook.id, webhook.topics, webhook.secrets, enabled=False), False
            return Webhook(webhook.id, webhook.topics, webhook.secrets), not seen.enabled
        return None, False

    def _registered(
        self, api: KlaviyoApi, slug: ProgramSlug, url: str, topics: tuple[str, ...], before: frozenset[str]
    ) -> Registration:
        secret = self.randomness.salt() + self.randomness.salt()
        sealed = self.vault.encrypt(slug, secret)
        try:
            webhook_id = api.create_webhook(name=_name(slug), url=url, secret=secret, topics=topics)
        except KlaviyoForbidden:
            return Registration(detected=True, allowed=False, webhooks=())
        except KlaviyoRefused as refused:
            return Registration(detected=True, allowed=True, webhooks=(), problem=refused.reason)
        except KlaviyoUnavailable:
            fresh = [each for each in api.webhooks() if each.id not in before and _is_ours(each, slug, url, ())]
            if len(fresh) != 1:
                raise
            webhook_id = fresh[0].id
        webhook = Webhook(webhook_id, topics, (sealed,))
        return Registration(detected=True, allowed=True, webhooks=(webhook,), created=webhook_id)


def _is_ours(listed: RegisteredWebhook, slug: ProgramSlug, url: str, known: Sequence[Webhook]) -> bool:
    if listed.id in {webhook.id for webhook in known}:
        return True
    return listed.name == _name(slug) and _host(listed.masked_url) == _host(url)


def _name(slug: ProgramSlug) -> str:
    return f"Tallyhook {slug}"


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()
