"""Who may call what: credentials, scopes, revisions and the gate before webhooks.

Sources: "Authenticate API requests", "API versioning and deprecation policy", "Webhooks API overview".
"""

from datetime import date

from local.fake_klaviyo.accounts import API, World
from local.fake_klaviyo.errors import ApiError, Problem, forbidden, refused, unauthenticated
from local.fake_klaviyo.exchange import Request
from local.fake_klaviyo.oauth import OAuth
from local.fake_klaviyo.operations import Operation, Principal

PRIVATE_KEY_CLIENT = "private-key"

_OLDEST_REVISION = date(2024, 10, 15)
_NEWEST_REVISION = date(2026, 10, 15)


def check_revision(request: Request) -> None:
    """Every call needs a `revision`; a retired one is answered with 410, one not published yet with 400."""
    given = request.header("revision")
    if not given:
        raise refused("The revision header is required.", "/data/")
    try:
        revision = date.fromisoformat(given)
    except ValueError as error:
        raise refused(f"'{given}' is not a valid revision.", "/data/") from error
    if revision < _OLDEST_REVISION:
        raise ApiError(410, [Problem(f"The revision {given} is retired.", "/data/", code="gone")])
    if revision > _NEWEST_REVISION:
        raise refused(f"'{given}' is not a valid revision.", "/data/")


def identify(world: World, oauth: OAuth, request: Request) -> Principal:
    """The caller, from `Klaviyo-API-Key pk_...` or `Bearer ...`; raises the 401."""
    scheme, _, credential = request.header("authorization").partition(" ")
    if scheme == "Klaviyo-API-Key":
        for account in world.accounts.values():
            if credential in account.private_keys:
                scopes = account.private_keys[credential]
                return Principal(account, PRIVATE_KEY_CLIENT, scopes, API, is_app=False)
    if scheme == "Bearer":
        install = oauth.install_of(credential)
        if install is not None and install.account in world.accounts:
            app = world.apps[install.client_id]
            account = world.accounts[install.account]
            return Principal(account, app.client_id, install.scopes, app.integration, is_app=True)
    raise unauthenticated()


def check_permission(operation: Operation, principal: Principal) -> None:
    """Every scope of the operation is needed; webhooks also need an app or Advanced KDP. Raises the 403."""
    if principal.scopes is not None:
        missing = [scope for scope in operation.scopes if scope not in principal.scopes]
        if missing:
            raise forbidden(f"Missing the required scope(s): {', '.join(missing)}.")
    if operation.webhook_access and not (principal.is_app or principal.account.advanced_kdp):
        raise forbidden("You must have Advanced KDP enabled to use this endpoint.")
