"""Operations of the HTTP API about a program's connection to Klaviyo, and what is built for its flows."""

from __future__ import annotations

from loyalty.contracts.builder import BuilderForm, BuiltWebhook
from loyalty.contracts.connection_documents import (
    ConnectedDocument,
    ConnectForm,
    ConnectionDocument,
    DisconnectedDocument,
    DisconnectForm,
    IntegrationsDocument,
)
from loyalty.contracts.flow_drafts import FlowDraftDocument, FlowDraftForm
from loyalty.contracts.operation import Operation
from loyalty.contracts.replays import ReplayDocument, ReplayForm
from loyalty.contracts.review_operations import REVIEW_FEED_OPERATIONS
from loyalty.contracts.sample_events import SampleEventsDocument, SampleEventsForm
from loyalty.contracts.sync_documents import SyncDocument

_PROGRAM = "/programs/{slug}"

CONNECTION_OPERATIONS = (
    Operation(
        "list_integrations",
        "GET",
        f"{_PROGRAM}/integrations",
        "A program's integrations",
        "admin",
        IntegrationsDocument,
    ),
    Operation("read_connection", "GET", f"{_PROGRAM}/klaviyo", "How the connection is", "admin", ConnectionDocument),
    Operation(
        "connect",
        "POST",
        f"{_PROGRAM}/klaviyo/connect",
        "Begin a connection by OAuth, or make one by private key",
        "admin",
        ConnectedDocument,
        body=ConnectForm,
        bodiless=True,
        details=(
            "By OAuth the answer is a link for the merchant's browser, good for an hour. By private key it is how the "
            "connection is; a program that is connected by OAuth, or to another account, is a 409 and stays as it is."
        ),
        example={"mode": "oauth"},
        errors=(409,),
    ),
    Operation(
        "disconnect",
        "POST",
        f"{_PROGRAM}/klaviyo/disconnect",
        "End the connection",
        "admin",
        DisconnectedDocument,
        body=DisconnectForm,
        details="Sending stops, webhooks and access are taken back; nothing is deleted in Klaviyo, nor here.",
        example={"confirm": True},
        errors=(409,),
    ),
    *REVIEW_FEED_OPERATIONS,
    Operation(
        "start_sync",
        "POST",
        f"{_PROGRAM}/klaviyo/sync",
        "Send every member to Klaviyo",
        "admin",
        SyncDocument,
        202,
        details=(
            "The first one has to be started before anything live is sent. Every member with an e-mail address is sent "
            "once, in bulk; a member gets live changes from its own turn on. One that is running is answered as it is."
        ),
        errors=(409,),
    ),
    Operation("read_sync", "GET", f"{_PROGRAM}/klaviyo/sync", "How far the newest full sync is", "admin", SyncDocument),
    Operation(
        "cancel_sync",
        "DELETE",
        f"{_PROGRAM}/klaviyo/sync",
        "Cancel the running full sync",
        "admin",
        SyncDocument,
        details=(
            "What Klaviyo has taken it works on still. After a cancelled first sync nothing live is sent until another "
            "one was started."
        ),
        errors=(409,),
    ),
    Operation(
        "replay_events",
        "POST",
        f"{_PROGRAM}/klaviyo/replay",
        "Tell Klaviyo afterwards of events it was not told of",
        "admin",
        ReplayDocument,
        202,
        body=ReplayForm,
        details=(
            "Events of a range that were skipped, because their type was not selected or the program not connected, or "
            "that failed. Klaviyo records them as back-fill, which sets off no flow, unless asked otherwise; what it "
            "has already is not sent again. One replay at a time; asking for the running one again has it go on."
        ),
        example={"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "types": ["points_expired"]},
        errors=(409,),
    ),
    Operation("read_replay", "GET", f"{_PROGRAM}/klaviyo/replay", "How the newest replay is", "admin", ReplayDocument),
    Operation(
        "send_sample_events",
        "POST",
        f"{_PROGRAM}/klaviyo/sample-events",
        "Have Klaviyo know the metrics of the selected events",
        "admin",
        SampleEventsDocument,
        body=SampleEventsForm,
        details=(
            "Klaviyo knows a metric from its first event on, and flows and segments can name it only then. One sample "
            "of each selected event that is produced goes to the profile of your own address, as back-fill, which sets "
            "off no flow, with the property sample. No points move. Sending again doubles nothing. The metrics appear "
            "a few minutes later and cannot be deleted there, so choose names and types first."
        ),
        example={"email": "sarah.mason@klaviyo-demo.com"},
        errors=(409,),
    ),
    Operation(
        "build_webhook",
        "GET",
        f"{_PROGRAM}/webhook-builder",
        "A webhook action for a Klaviyo flow, ready to paste",
        "balance:write",
        BuiltWebhook,
        query=BuilderForm,
        details="The headers hold the very key that this request was made with.",
    ),
    Operation(
        "draft_flow",
        "POST",
        f"{_PROGRAM}/webhook-builder/flow",
        "Create the flow around a webhook action in Klaviyo, as a draft",
        "admin",
        FlowDraftDocument,
        201,
        also=200,
        body=FlowDraftForm,
        details=(
            "Needs a connection by OAuth: with a private key the answer is 409 with code oauth_required. A flow that "
            "has the name already is left as it is and named in a 200. The merchant switches the flow on in Klaviyo."
        ),
        example={"idea": "birthday", "amount": 50},
        errors=(409,),
    ),
)
