"""get_accounts: the one account a credential belongs to."""

from local.fake_klaviyo.documents import resource_links
from local.fake_klaviyo.operations import Call, Operation, Reply
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import EXTRA_SMALL


def get_accounts(call: Call) -> Reply:
    """A collection of one; its id is also the public key and the webhooks' `klaviyo_account_id`."""
    account = call.account
    host = account.website_url.removeprefix("https://").removeprefix("www.")
    resource = {
        "type": "account",
        "id": account.id,
        "attributes": {
            "test_account": False,
            "contact_information": {
                "default_sender_name": account.organization_name,
                "default_sender_email": f"contact@{host}",
                "website_url": account.website_url,
                "organization_name": account.organization_name,
                "street_address": {
                    "address1": "125 Summer Street",
                    "address2": "5th floor",
                    "city": "Boston",
                    "region": "MA",
                    "country": "US",
                    "zip": "02110",
                },
            },
            "industry": "Ecommerce, Apparel",
            "timezone": account.timezone,
            "preferred_currency": account.currency,
            "public_api_key": account.id,
            "locale": "en-US",
        },
        "links": resource_links(call.request.base_url, f"/api/accounts/{account.id}"),
    }
    links = {"self": call.link("/api/accounts"), "next": None, "prev": None}
    return Reply(200, {"data": [call.query.trimmed(resource)], "links": links})


OPERATIONS = (
    Operation(
        "get_accounts",
        "GET",
        "/api/accounts",
        ("accounts:read",),
        EXTRA_SMALL,
        get_accounts,
        QueryRules(fields=("account",)),
    ),
)
