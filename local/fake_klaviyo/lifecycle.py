"""Starting from a seed, starting over, and letting time pass."""

from local.fake_klaviyo.accounts import Account, App
from local.fake_klaviyo.review_desk import add_review
from local.fake_klaviyo.seed import Seed, SeedAccount, SeedApp, SeedInstall
from local.fake_klaviyo.services import Services
from local.fake_klaviyo.switches import Switches
from local.fake_klaviyo.topics import GENERAL_TOPICS, REVIEW_TOPICS


def plant(services: Services, seed: Seed) -> None:
    """Add everything in a seed to what is there; an account or app of the same id is replaced."""
    with services.world.lock:
        for account in seed.accounts:
            plant_account(services, account)
        for app in seed.apps:
            plant_app(services, app)
        for install in seed.installs:
            plant_install(services, install)


def plant_account(services: Services, given: SeedAccount) -> Account:
    """Add one account."""
    account = Account(
        id=given.id,
        organization_name=given.organization_name,
        timezone=given.timezone,
        currency=given.currency,
        website_url=given.website_url,
        advanced_kdp=given.advanced_kdp,
        topics=[*GENERAL_TOPICS, *(REVIEW_TOPICS if given.review_topics else ())],
        private_keys={key.key: None if key.scopes is None else frozenset(key.scopes) for key in given.private_keys},
        lists=set(given.lists),
    )
    services.world.accounts[account.id] = account
    for review in given.reviews:
        add_review(account, review, services.clock.now())
    return account


def plant_app(services: Services, given: SeedApp) -> App:
    """Add one OAuth app."""
    app = App(
        given.client_id,
        given.client_secret,
        given.name,
        tuple(given.redirect_uris),
        frozenset(given.scopes),
    )
    services.world.apps[app.client_id] = app
    return app


def plant_install(services: Services, given: SeedInstall) -> tuple[str, str]:
    """Add a ready grant; returns its access and refresh tokens. KeyError for an unknown account or app."""
    account = services.world.accounts[given.account]
    app = services.world.apps[given.client_id]
    scopes = app.scopes if given.scopes is None else frozenset(given.scopes)
    return services.oauth.seed_install(account.id, app, scopes, given.access_token, given.refresh_token)


def reset(services: Services, seed: Seed | None = None) -> None:
    """Forget everything, put every switch back and plant the first seed (or another one)."""
    with services.world.lock:
        services.scheduler.clear()
        services.world.clear()
        services.oauth.clear()
        services.faults.clear()
        services.limiter.clear()
        services.recorder.clear()
        services.deliveries.clear()
        for name, value in Switches():
            setattr(services.switches, name, value)
        plant(services, seed or services.seed)


def advance(services: Services, seconds: float) -> None:
    """Let `seconds` of Klaviyo time pass, running what becomes due on the way, in order."""
    clock, scheduler = services.clock, services.scheduler
    target = clock.elapsed() + seconds
    while (due := scheduler.next_due()) is not None and clock.elapsed() + due <= target:
        clock.advance(due)
        scheduler.run_due()
    clock.advance(max(0.0, target - clock.elapsed()))
    scheduler.nudge()
