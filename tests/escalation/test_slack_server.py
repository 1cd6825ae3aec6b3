"""The Slack that tests play with behaves as Slack does, seen through Slack's own libraries, unmodified."""

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack_blocks import Json, why_invalid, why_invalid_view
from tests.fakes.slack_people import Person
from tests.fakes.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer, open_slack
from tests.fakes.slack_things import Message
from tests.fakes.slack_wire import (
    SIGNING_SECRET,
    answer_lost,
    broken,
    garbage,
    late,
    over_http,
    ratelimited,
    refused,
    signed,
    unheard,
)
from tests.fakes.waiting import until

CARE = "C0SOCIAL"
PAYLOADS = Path("/work/shared/ux")
Start = Callable[..., Awaitable[AsyncSocketModeHandler]]


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    """A workspace."""
    async with open_slack(seed=7) as server:
        yield server


@pytest.fixture
def web(slack: SlackServer) -> AsyncWebClient:
    """The real client, without its retries."""
    return AsyncWebClient(BOT_TOKEN, base_url=slack.url, retry_handlers=[])


@pytest.fixture
def app(web: AsyncWebClient) -> AsyncApp:
    """The real app, with nothing in it yet."""
    return AsyncApp(client=web, token=BOT_TOKEN)


@pytest.fixture
async def start(app: AsyncApp, slack: SlackServer) -> AsyncIterator[Start]:
    """Opens one more connection for the app, and closes them all when the test is over."""
    handlers: list[AsyncSocketModeHandler] = []

    async def start_one(*, ping_interval: float = 5) -> AsyncSocketModeHandler:
        before = len(slack.socket.connections)
        handler = AsyncSocketModeHandler(app, APP_TOKEN, ping_interval=ping_interval)
        handlers.append(handler)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        await until(lambda: len(slack.socket.connections) > before, "one more connection")
        return handler

    yield start_one
    for handler in handlers:
        await handler.close_async()  # type: ignore[no-untyped-call]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def button(action_id: str, value: str = "v", text: str = "Press") -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), "value": value}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def buttons(*elements: Json) -> list[Json]:
    return [section("A case"), {"type": "actions", "block_id": "act", "elements": list(elements)}]


def modal(*blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": plain("Edit"), "submit": plain("Send"), "blocks": list(blocks)} | more


def field_of(block_id: str, **more: Any) -> Json:
    element = {"type": "plain_text_input", "action_id": "text"} | more
    return {"type": "input", "block_id": block_id, "label": plain("Reply"), "element": element}


async def error_of(call: Awaitable[Any]) -> str:
    """The word with which Slack refuses a call."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def card(slack: SlackServer, web: AsyncWebClient, *elements: Json) -> Message:
    await web.chat_postMessage(channel=CARE, text="A case", blocks=buttons(*elements or (button("go"),)))
    return slack.messages(CARE)[-1]


# ── credentials ──────────────────────────────────────────────────────────────────────────────────


async def test_a_good_token_is_told_who_it_is_and_what_it_may(web: AsyncWebClient) -> None:
    """auth.test answers with the team and the bot, and the scopes are in the header."""
    answer = await web.auth_test()
    assert (answer["team_id"], answer["user_id"]) == ("T0AURORA", "U0HEARD")
    assert "chat:write" in answer.headers["X-OAuth-Scopes"]


@pytest.mark.parametrize("trouble", ["invalid_auth", "token_revoked", "account_inactive"])
async def test_a_token_that_was_taken_away_is_refused_everywhere(
    slack: SlackServer, web: AsyncWebClient, trouble: str
) -> None:
    """Every method says what became of the token; nothing is posted."""
    slack.revoke(BOT_TOKEN, trouble)
    assert await error_of(web.auth_test()) == trouble
    assert await error_of(web.chat_postMessage(channel=CARE, text="hello")) == trouble
    assert slack.messages(CARE) == []


async def test_tokens_are_for_what_they_are_for(slack: SlackServer, web: AsyncWebClient) -> None:
    """An app token cannot post, a bot token opens no connection, an unknown or missing one does nothing."""
    wrong = AsyncWebClient(APP_TOKEN, base_url=slack.url, retry_handlers=[])
    assert await error_of(wrong.chat_postMessage(channel=CARE, text="hello")) == "not_allowed_token_type"
    assert await error_of(web.apps_connections_open(app_token=BOT_TOKEN)) == "not_allowed_token_type"
    for token, error in (("xoxb-other", "invalid_auth"), (None, "not_authed")):
        unknown = AsyncWebClient(token, base_url=slack.url, retry_handlers=[])
        assert await error_of(unknown.auth_test()) == error


async def test_a_missing_scope_is_named(slack: SlackServer, web: AsyncWebClient) -> None:
    """The answer says what is needed and what there is."""
    slack.tokens[BOT_TOKEN].scopes.remove("users:read")
    nina = slack.person("Nina")
    with pytest.raises(SlackApiError) as caught:
        await web.users_info(user=nina.id)
    assert caught.value.response["needed"] == "users:read"
    assert "chat:write" in caught.value.response["provided"]


# ── messages ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_keeps_everything_it_ever_said(slack: SlackServer, web: AsyncWebClient) -> None:
    """An update adds a version; metadata that is not spoken of stays; ids grow."""
    metadata = {"event_type": "case_card", "event_payload": {"case": "C-1"}}
    first = await web.chat_postMessage(
        channel=CARE, text="New", blocks=buttons(button("go")), metadata=metadata
    )
    second = await web.chat_postMessage(channel="C0LEADS", text="Breach")
    assert re.fullmatch(r"\d{10}\.\d{6}", first["ts"])
    assert float(first["ts"]) < float(second["ts"])
    await web.chat_update(channel=CARE, ts=first["ts"], text="Sending", blocks=[section("Sending")])
    message = slack.messages(CARE)[0]
    assert [version.text for version in message.versions] == ["New", "Sending"]
    assert message.metadata == metadata
    assert message.edited is False


async def test_an_update_with_text_alone_takes_the_blocks_away(
    slack: SlackServer, web: AsyncWebClient
) -> None:
    """As Slack does: no buttons are left, and the message is marked as edited."""
    message = await card(slack, web)
    await web.chat_update(channel=CARE, ts=message.ts, text="Done")
    assert message.blocks == []
    assert message.edited is True


async def test_a_form_is_understood_as_json_is(slack: SlackServer) -> None:
    """Old clients send forms with blocks as a string, and the token inside."""
    form = {
        "token": BOT_TOKEN,
        "channel": CARE,
        "text": "A case",
        "blocks": json.dumps(buttons(button("go"))),
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(slack.url + "chat.postMessage", data=form) as got,
    ):
        assert (await got.json())["ok"] is True
    assert slack.messages(CARE)[0].blocks[1]["elements"][0]["action_id"] == "go"


async def test_channels_that_cannot_be_posted_to_say_why(slack: SlackServer, web: AsyncWebClient) -> None:
    """Unknown, hidden, archived, and not invited are four different things."""
    slack.channel("C0OLD", archived=True)
    slack.channel("C0OTHER", invited=False)
    slack.channel("C0SECRET", private=True, invited=False)
    expected = {
        "C0NONE": "channel_not_found",
        "C0SECRET": "channel_not_found",
        "C0OLD": "is_archived",
        "C0OTHER": "not_in_channel",
    }
    for channel, error in expected.items():
        assert await error_of(web.chat_postMessage(channel=channel, text="hello")) == error


async def test_what_cannot_be_updated_says_why(slack: SlackServer, web: AsyncWebClient) -> None:
    """A message of somebody else, one that is gone, and a text that is too long."""
    theirs = slack.person("Nina").writes(CARE, "a note")
    assert await error_of(web.chat_update(channel=CARE, ts=theirs.ts, text="x")) == "cant_update_message"
    assert await error_of(web.chat_delete(channel=CARE, ts=theirs.ts)) == "cant_delete_message"
    mine = await card(slack, web)
    assert await error_of(web.chat_update(channel=CARE, ts=mine.ts, text="x" * 4001)) == "msg_too_long"
    await web.chat_delete(channel=CARE, ts=mine.ts)
    assert await error_of(web.chat_update(channel=CARE, ts=mine.ts, text="x")) == "message_not_found"
    assert slack.messages(CARE) == [theirs]


async def test_a_reply_to_a_deleted_message_lands_outside_any_thread(
    slack: SlackServer, web: AsyncWebClient
) -> None:
    """Slack refuses nothing then; only the missing thread_ts in the answer tells."""
    slack.limits.post_every_s = None
    parent = await card(slack, web)
    reply = await web.chat_postMessage(channel=CARE, text="note", thread_ts=parent.ts)
    assert reply["message"]["thread_ts"] == parent.ts
    assert [each.text for each in slack.thread(parent)] == ["note"]
    await web.chat_delete(channel=CARE, ts=parent.ts)
    orphan = await web.chat_postMessage(channel=CARE, text="late note", thread_ts=parent.ts)
    assert "thread_ts" not in orphan["message"]
    assert await error_of(web.chat_postMessage(channel=CARE, text="x", thread_ts="0")) == "invalid_thread_ts"


async def test_history_is_newest_first_and_tells_metadata_when_asked(
    slack: SlackServer, web: AsyncWebClient
) -> None:
    """Pages follow a cursor; what was said in threads is told by conversations.replies alone."""
    slack.limits.post_every_s = None
    metadata = {"event_type": "case_card", "event_payload": {"case": "C-1"}}
    first = await web.chat_postMessage(channel=CARE, text="one", metadata=metadata)
    await web.chat_postMessage(channel=CARE, text="in thread", thread_ts=first["ts"])
    await web.chat_postMessage(channel=CARE, text="two")
    page = await web.conversations_history(channel=CARE, limit=1)
    assert [each["text"] for each in page["messages"]] == ["two"]
    cursor = page["response_metadata"]["next_cursor"]
    rest = await web.conversations_history(channel=CARE, limit=1, cursor=cursor, include_all_metadata=True)
    assert rest["messages"][0]["metadata"] == metadata
    assert rest["has_more"] is False
    since = await web.conversations_history(channel=CARE, oldest=first["ts"])
    assert [each["text"] for each in since["messages"]] == ["two"]
    replies = await web.conversations_replies(channel=CARE, ts=first["ts"])
    assert [each["text"] for each in replies["messages"]] == ["one", "in thread"]


async def test_one_person_alone_sees_an_ephemeral(slack: SlackServer, web: AsyncWebClient) -> None:
    """Whoever is not in the channel cannot be shown one, and it cannot be updated as messages are."""
    nina, ola = slack.person("Nina"), slack.person("Ola")
    shown = await web.chat_postEphemeral(channel=CARE, user=nina.id, text="Too late.")
    assert [each.text for each in nina.sees().ephemerals] == ["Too late."]
    assert ola.sees().ephemerals == []
    error = await error_of(web.chat_update(channel=CARE, ts=shown["message_ts"], text="x"))
    assert error == "message_not_found"
    assert await error_of(web.chat_postEphemeral(channel=CARE, user="U0X", text="x")) == "user_not_in_channel"


async def test_a_direct_message_reaches_its_person(slack: SlackServer, web: AsyncWebClient) -> None:
    """By the opened conversation, or by the user's id."""
    nina = slack.person("Nina")
    opened = await web.conversations_open(users=nina.id)
    await web.chat_postMessage(channel=opened["channel"]["id"], text="Yours now.")
    slack.passes(1)
    await web.chat_postMessage(channel=nina.id, text="Still on it?")
    assert [each.text for each in nina.sees().dms] == ["Yours now.", "Still on it?"]


async def test_members_groups_and_channels_are_listed(slack: SlackServer, web: AsyncWebClient) -> None:
    """Guests, bots and people of other teams are told apart; lists come in pages."""
    people = [
        slack.person("Nina"),
        slack.person("Gus", guest=True),
        slack.person("Robo", bot=True),
        slack.person("Stan", stranger=True),
    ]
    slack.group("S0CARE", "social-care", people[:1])
    told = [(await web.users_info(user=person.id))["user"] for person in people]
    assert [user["is_restricted"] for user in told] == [False, True, False, False]
    assert [user["is_bot"] for user in told] == [False, False, True, False]
    assert [user["team_id"] != "T0AURORA" for user in told] == [False, False, False, True]
    pages = [len(page["members"]) async for page in await web.users_list(limit=3)]
    assert pages == [3, 1]
    assert (await web.usergroups_list())["usergroups"][0]["handle"] == "social-care"
    assert (await web.usergroups_users_list(usergroup="S0CARE"))["users"] == ["U0NINA"]
    channels = (await web.conversations_list())["channels"]
    assert [channel["name"] for channel in channels] == ["social-care", "social-leads"]
    assert (await web.conversations_info(channel=CARE))["channel"]["is_member"] is True
    assert "U0GUS" in (await web.conversations_members(channel=CARE))["members"]


async def test_a_reaction_stays_on_the_message(slack: SlackServer, web: AsyncWebClient) -> None:
    """Once; the second time it is there already."""
    message = await card(slack, web)
    await web.reactions_add(channel=CARE, timestamp=message.ts, name="eyes")
    assert message.reactions == {"eyes": ["U0HEARD"]}
    again = web.reactions_add(channel=CARE, timestamp=message.ts, name="eyes")
    assert await error_of(again) == "already_reacted"


async def test_a_method_that_slack_does_not_have_is_refused(web: AsyncWebClient) -> None:
    """A typing error is no silence."""
    assert await error_of(web.api_call("chat.postMesage")) == "unknown_method"


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────

BAD_BLOCKS: dict[str, tuple[list[Any], str]] = {
    "a section of 3,001 characters": ([section("x" * 3001)], "less than 3001"),
    "a section without text": ([section("")], "more than 0"),
    "a header of 151 characters": ([{"type": "header", "text": plain("x" * 151)}], "less than 151"),
    "51 blocks": ([{"type": "divider"}] * 51, "no more than 50 items"),
    "a type nobody knows": ([{"type": "banner"}], "unsupported type: banner"),
    "an alert outside a modal": ([{"type": "alert", "text": plain("x")}], "unsupported type: alert"),
    "a property nobody knows": ([section("x") | {"colour": "red"}], "additional property: colour"),
    "two blocks with one id": ([section("x") | {"block_id": "a"}] * 2, "block_id already exists"),
    "two buttons with one id": (buttons(button("go"), button("go")), "action_id already exists"),
    "a button with mrkdwn": (buttons(button("go") | {"text": section("x")["text"]}), "expected plain_text"),
    "a button value of 2,001": (buttons(button("go", "x" * 2001)), "less than 2001"),
    "an option value of 151": (
        buttons({"type": "overflow", "options": [{"text": plain("x"), "value": "x" * 151}]}),
        "less than 151",
    ),
    "six options in an overflow": (
        buttons({"type": "overflow", "options": [{"text": plain("x"), "value": "x"}] * 6}),
        "no more than 5 items",
    ),
    "a select with nothing to choose": (buttons({"type": "static_select"}), "options or option_groups"),
    "a block that is none": ([None], "unsupported type"),
}


@pytest.mark.parametrize("what", BAD_BLOCKS)
async def test_blocks_that_slack_would_not_show_are_refused(
    slack: SlackServer, web: AsyncWebClient, what: str
) -> None:
    """invalid_blocks, with the place and the reason, and nothing is posted."""
    blocks, reason = BAD_BLOCKS[what]
    with pytest.raises(SlackApiError) as caught:
        await web.chat_postMessage(channel=CARE, text="A case", blocks=blocks)
    assert caught.value.response["error"] == "invalid_blocks"
    assert reason in caught.value.response["errors"][0]
    assert "[json-pointer:/blocks" in caught.value.response["response_metadata"]["messages"][0]
    assert slack.messages(CARE) == []


def test_whatever_is_sent_as_blocks_is_judged() -> None:
    """Any value in any place is refused or shown, and is never a fault of the server."""
    chance = random.Random(4)
    points = [{"label": "Mon", "value": 1}]
    chart = {
        "type": "bar",
        "series": [{"name": "Now", "data": points}],
        "axis_config": {"categories": ["Mon"]},
    }
    options = [{"text": plain("x"), "value": "x", "description": plain("y")}]
    confirm = {"title": plain("Sure?"), "text": plain("Really?")}
    quote = {"type": "rich_text_quote", "elements": [{"type": "text", "text": "x"}]}
    whole = modal(
        *buttons(button("go") | {"confirm": confirm}, {"type": "static_select", "options": options}),
        {"type": "rich_text", "elements": [quote]},
        {"type": "context", "elements": [plain("x")]},
        {"type": "data_visualization", "title": "x", "chart": chart},
        {"type": "data_table", "caption": "x", "rows": [[{"type": "raw_text", "text": "x"}]]},
        {"type": "alert", "text": plain("x")},
        field_of("reply"),
    )
    for _ in range(500):
        view = json.loads(json.dumps(whole))
        holder = chance.choice([each for each in _holders(view) if each])
        key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key] = chance.choice([None, 7, "x", "", [], {}, [None], {"type": "x"}, [[]], {"type": []}])
        assert isinstance(why_invalid_view(view), list)
        assert isinstance(why_invalid(view.get("blocks"), "message"), list)


def _holders(value: Any) -> Iterator[Any]:
    """Every object and list in a payload."""
    if isinstance(value, dict | list):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _holders(each)


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the designed payloads are not on this machine")
def test_every_payload_of_the_design_would_be_shown() -> None:
    """The checks are no stricter than what was checked against Slack's own models before."""
    for path in sorted(PAYLOADS.glob("*.json")):
        payload = json.loads(path.read_text())
        if path.stem.startswith("message"):
            assert why_invalid(payload["blocks"], "message") == [], path.stem
        elif path.stem.startswith(("modal", "home")):
            assert why_invalid_view(payload) == [], path.stem


async def test_a_workspace_without_charts_refuses_them(slack: SlackServer, web: AsyncWebClient) -> None:
    """During Slack's roll-out: invalid_blocks for blocks of these types alone."""
    points = [{"label": "Mon", "value": 1}]
    chart = {
        "type": "bar",
        "series": [{"name": "Now", "data": points}],
        "axis_config": {"categories": ["Mon"]},
    }
    blocks = [section("x"), {"type": "data_visualization", "title": "Mentions", "chart": chart}]
    await web.chat_postMessage(channel=CARE, text="Spike", blocks=blocks)
    slack.refused_blocks.add("data_visualization")
    assert await error_of(web.chat_postMessage(channel=CARE, text="Spike", blocks=blocks)) == "invalid_blocks"
    slack.passes(1)
    await web.chat_postMessage(channel=CARE, text="Spike", blocks=blocks[:1])


# ── limits and faults ────────────────────────────────────────────────────────────────────────────


async def test_a_second_post_in_a_second_is_too_many(slack: SlackServer, web: AsyncWebClient) -> None:
    """429 with Retry-After, counted, for this channel alone; a second later there is room again."""
    await web.chat_postMessage(channel=CARE, text="one")
    with pytest.raises(SlackApiError) as caught:
        await web.chat_postMessage(channel=CARE, text="two")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    await web.chat_postMessage(channel="C0LEADS", text="elsewhere")
    slack.passes(1)
    await web.chat_postMessage(channel=CARE, text="two")
    assert [each.text for each in slack.messages(CARE)] == ["one", "two"]
    assert (slack.too_many(), slack.too_many("chat.update")) == (1, 0)


async def test_a_pacer_may_be_early_by_a_tenth_but_not_again_and_again(
    slack: SlackServer, web: AsyncWebClient
) -> None:
    """What arrives a little early is forgiven; the rate over time is one a second all the same."""
    told = []
    for _ in range(5):
        slack.passes(0.96)
        try:
            await web.chat_postMessage(channel=CARE, text="tick")
            told.append(200)
        except SlackApiError as error:
            told.append(error.response.status_code)
    assert told[:3] == [200, 200, 200]
    assert told.count(429) == 1


async def test_fifty_updates_a_minute_and_no_more(slack: SlackServer, web: AsyncWebClient) -> None:
    """The fifty-first is told to wait until the first is a minute old."""
    message = await card(slack, web)
    for number in range(50):
        await web.chat_update(channel=CARE, ts=message.ts, text=f"version {number}")
    assert await error_of(web.chat_update(channel=CARE, ts=message.ts, text="x")) == "ratelimited"
    slack.passes(61)
    await web.chat_update(channel=CARE, ts=message.ts, text="at last")
    assert message.text == "at last"


async def test_a_storm_of_429_passes(slack: SlackServer, web: AsyncWebClient) -> None:
    """The next calls of one method are refused with the time to wait; then it is as before."""
    slack.next("chat.postMessage", ratelimited(30), ratelimited(30))
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await web.chat_postMessage(channel=CARE, text="hello")
        assert caught.value.response.headers["Retry-After"] == "30"
    await web.auth_test()
    await web.chat_postMessage(channel=CARE, text="hello")
    assert [call.status for call in slack.calls("chat.postMessage")] == [429, 429, 200]


async def test_a_lost_answer_leaves_a_message(slack: SlackServer, web: AsyncWebClient) -> None:
    """The message is there, the caller sees only a broken connection; unheard, and nothing is there."""
    slack.next("chat.postMessage", answer_lost())
    with pytest.raises(aiohttp.ClientConnectionError):
        await web.chat_postMessage(channel=CARE, text="hello")
    assert [each.text for each in slack.messages(CARE)] == ["hello"]
    slack.passes(1)
    slack.next("chat.postMessage", unheard())
    with pytest.raises(aiohttp.ClientConnectionError):
        await web.chat_postMessage(channel=CARE, text="again")
    assert [each.text for each in slack.messages(CARE)] == ["hello"]


async def test_faults_of_slack_look_as_they_do(slack: SlackServer, web: AsyncWebClient) -> None:
    """An error of a method, a 500, a page of HTML, for one call or for all of them."""
    slack.next("chat.postMessage", refused("restricted_action"), broken(), garbage())
    assert await error_of(web.chat_postMessage(channel=CARE, text="x")) == "restricted_action"
    for status in (500, 503):
        with pytest.raises(SlackApiError) as caught:
            await web.chat_postMessage(channel=CARE, text="x")
        assert caught.value.response.status_code == status
    slack.always("*", refused("service_unavailable"))
    assert await error_of(web.auth_test()) == "service_unavailable"
    slack.always("*", None)
    await web.auth_test()


async def test_slack_can_be_slow(slack: SlackServer, web: AsyncWebClient) -> None:
    """One call, or all of them."""
    slack.next("auth.test", late(0.1))
    started = time.monotonic()
    await web.auth_test()
    assert time.monotonic() - started >= 0.1
    slack.latency_s = 0.1
    await web.auth_test()
    assert time.monotonic() - started >= 0.2


async def test_slack_can_be_away_and_come_back(slack: SlackServer, web: AsyncWebClient) -> None:
    """Nothing listens at the address; then it does again, at the same one."""
    await slack.down()
    with pytest.raises(aiohttp.ClientConnectionError):
        await web.auth_test()
    await slack.up()
    await web.auth_test()


# ── sockets ──────────────────────────────────────────────────────────────────────────────────────


async def test_two_hundred_clicks_on_two_connections_are_all_acknowledged(
    slack: SlackServer, web: AsyncWebClient, app: AsyncApp, start: Start
) -> None:
    """Each goes to one of the two, at random, and comes to the app exactly once."""
    pressed: list[str] = []

    @app.action("go")
    async def go(ack: Any, action: Any) -> None:
        await ack()
        pressed.append(action["value"])

    await start()
    await start()
    nina = slack.person("Nina")
    values = [f"case-{number}" for number in range(200)]
    elements = [[button("go", value)] for value in values]
    said = [slack.say(CARE, "U0HEARD", "A case", blocks=buttons(*each)) for each in elements]
    deliveries = await asyncio.gather(*(nina.clicks(message, "go") for message in said))
    assert all(each.acknowledgements == 1 and each.latency_s < 3 for each in deliveries)
    await until(lambda: sorted(pressed) == sorted(values), "every click in the app")
    shares = [connection.delivered for connection in slack.socket.connections]
    assert sum(shares) == 200
    assert min(shares) > 60


async def test_a_deaf_connection_delivers_nothing_and_seems_well(
    slack: SlackServer, web: AsyncWebClient, start: Start
) -> None:
    """The library says that it is connected, pings are answered, and no click arrives."""
    handler = await start()
    slack.socket.deafen()
    slack.socket.patience_s = 0.1
    nina = slack.person("Nina")
    delivery = await nina.clicks(await card(slack, web), "go")
    assert not delivery.acknowledged
    assert slack.socket.connections[0].delivered == 0
    assert await handler.client.is_connected() is True
    assert nina.sees().troubles == ["We had some trouble connecting. Try again?"]


async def test_a_connection_may_stop_answering_pings(slack: SlackServer, start: Start) -> None:
    """Slack asks too and the library answers; it gives up a connection that leaves its pings unanswered."""
    await start(ping_interval=0.1)
    connection = slack.socket.connections[0]
    await connection.ping()
    await until(lambda: connection.pongs == 1, "the library's pong")
    await until(lambda: connection.pings > 1, "the library's pings")
    slack.socket.deafen(connection, answers_pings=False)
    await until(lambda: connection not in slack.socket.connections, "the silent connection to be given up")


async def test_with_no_connection_a_click_fails_at_once(slack: SlackServer, web: AsyncWebClient) -> None:
    """The person is told; nothing is kept for later."""
    nina = slack.person("Nina")
    delivery = await nina.clicks(await card(slack, web), "go")
    assert (delivery.connection, delivery.acknowledged) == (None, False)
    assert len(nina.sees().troubles) == 1


async def test_an_event_that_nobody_acknowledged_comes_again(
    slack: SlackServer, app: AsyncApp, start: Start
) -> None:
    """The same event in another envelope, with the number of the attempt; three times at most."""
    numbers: list[str] = []

    @app.event("app_home_opened")
    async def opened(request: Any) -> None:
        numbers.append(request.headers.get("x-slack-retry-num", ["none"])[0])

    slack.socket.patience_s = 0.05
    nina = slack.person("Nina")
    lost = await nina.opens_home()
    for attempt in (1, 2):
        assert [each.attempt for each in await slack.socket.retry_events()] == [attempt]
    slack.socket.patience_s = 3
    await start()
    last = (await slack.socket.retry_events())[0]
    assert (last.attempt, last.acknowledged) == (3, True)
    assert last.payload["event_id"] == lost.payload["event_id"]
    await until(lambda: numbers == ["3"], "the event in the app")
    assert await slack.socket.retry_events() == []


async def test_a_click_can_come_twice(
    slack: SlackServer, web: AsyncWebClient, app: AsyncApp, start: Start
) -> None:
    """The very same payload in two envelopes, both acknowledged."""
    triggers: list[str] = []

    @app.action("go")
    async def go(ack: Any, body: Any) -> None:
        await ack()
        triggers.append(body["trigger_id"])

    await start()
    first = await slack.person("Nina").clicks(await card(slack, web), "go")
    again = await slack.socket.deliver_again(first)
    assert again.acknowledged
    assert again.envelope_id != first.envelope_id
    await until(lambda: len(triggers) == 2, "both clicks")
    assert triggers[0] == triggers[1]


@pytest.mark.parametrize("how", ["goodbye", "closed", "dropped"])
async def test_the_library_comes_back_when_its_connection_ends(
    slack: SlackServer, web: AsyncWebClient, app: AsyncApp, start: Start, how: str
) -> None:
    """After a disconnect message, a polite close, or a connection that is just gone."""

    @app.action("go")
    async def go(ack: Any) -> None:
        await ack()

    await start(ping_interval=0.2)
    old = slack.socket.connections[0]
    if how == "goodbye":
        await slack.socket.say_goodbye("refresh_requested", old)
    elif how == "closed":
        await slack.socket.close(old)
    else:
        slack.socket.drop(old)
    await until(lambda: slack.socket.connections not in ([], [old]), "a new connection")
    await until(lambda: old not in slack.socket.connections, "the end of the old one")
    assert (await slack.person("Nina").clicks(await card(slack, web), "go")).acknowledged


async def test_an_eleventh_connection_is_one_too_many(slack: SlackServer, web: AsyncWebClient) -> None:
    """Ten are greeted with their number; the next is told too_many_websockets and closed."""
    async with aiohttp.ClientSession() as session:
        urls = [(await web.apps_connections_open(app_token=APP_TOKEN))["url"] for _ in range(11)]
        sockets = [await session.ws_connect(url) for url in urls]
        greetings = [await socket.receive_json() for socket in sockets]
    assert [each["num_connections"] for each in greetings[:10]] == list(range(1, 11))
    assert greetings[10]["reason"] == "too_many_websockets"


async def test_a_way_in_is_for_one_connection_and_can_be_shut(
    slack: SlackServer, web: AsyncWebClient
) -> None:
    """A used address and a Slack that takes no connections refuse the handshake."""
    url = (await web.apps_connections_open(app_token=APP_TOKEN))["url"]
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(url)
        slack.socket.refuses_connects = True
        fresh = (await web.apps_connections_open(app_token=APP_TOKEN))["url"]
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(fresh)


# ── people ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_stale_click_tells_what_was_on_the_screen(
    slack: SlackServer, web: AsyncWebClient, app: AsyncApp, start: Start
) -> None:
    """A button that is gone can be pressed by who still sees it, and not by who looks now."""
    seen_by_the_app: list[Any] = []

    @app.action("go")
    async def go(ack: Any, body: Any) -> None:
        await ack()
        seen_by_the_app.append(body)

    await start()
    nina = slack.person("Nina", stranger=True)
    message = await card(slack, web, button("go", "v1"))
    old = message.seen()
    await web.chat_update(channel=CARE, ts=message.ts, text="Done", blocks=[section("Done")])
    await nina.clicks(old, "go")
    with pytest.raises(AssertionError, match="0 elements 'go' to press"):
        await nina.clicks(message, "go")
    await until(lambda: len(seen_by_the_app) == 1, "the click")
    body = seen_by_the_app[0]
    assert body["actions"][0]["value"] == "v1"
    assert body["container"] == {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": CARE,
        "is_ephemeral": False,
    }
    assert body["user"]["team_id"] == "T0STRANGER"
    assert body["message"]["text"] == "A case"


async def test_choices_are_told_as_slack_tells_them(
    slack: SlackServer, web: AsyncWebClient, app: AsyncApp, start: Start
) -> None:
    """An overflow and a select tell the whole option; people are chosen by id."""
    actions: list[Any] = []

    @app.action(re.compile(".*"))
    async def any_action(ack: Any, action: Any) -> None:
        await ack()
        actions.append(action)

    await start()
    options = [{"text": plain("10 minutes"), "value": "m10"}, {"text": plain("Tomorrow"), "value": "next"}]
    message = await card(
        slack,
        web,
        {"type": "overflow", "action_id": "more", "options": options},
        {"type": "static_select", "action_id": "snooze", "options": options},
        {"type": "users_select", "action_id": "assign"},
    )
    nina = slack.person("Nina")
    await nina.clicks(message, "more", choose="Tomorrow")
    await nina.clicks(message, "snooze", choose="m10")
    await nina.clicks(message, "assign", choose="U0OLA")
    await until(lambda: len(actions) == 3, "three choices")
    assert [action.get("selected_option", {}).get("value") for action in actions] == ["next", "m10", None]
    assert actions[2]["selected_user"] == "U0OLA"


async def test_a_click_is_answered_by_its_response_url(
    slack: SlackServer, web: AsyncWebClient, app: AsyncApp, start: Start
) -> None:
    """respond() shows an ephemeral to who pressed, and that ephemeral can be pressed and replaced too."""

    @app.action("go")
    async def go(ack: Any, respond: Any) -> None:
        await ack()
        await respond(text="Sure?", blocks=buttons(button("sure")), replace_original=False)

    @app.action("sure")
    async def sure(ack: Any, respond: Any) -> None:
        await ack()
        await respond(text="Done.", replace_original=True)

    await start()
    nina = slack.person("Nina")
    await nina.clicks(await card(slack, web), "go")
    await until(lambda: len(nina.sees().ephemerals) == 1, "the question")
    await nina.clicks(nina.sees().ephemerals[0], "sure")
    await until(lambda: nina.sees().ephemerals[0].text == "Done.", "the answer")


async def test_a_click_can_be_answered_five_times(slack: SlackServer, web: AsyncWebClient) -> None:
    """Then its address is used up."""
    nina = slack.person("Nina")
    message = await card(slack, web)
    url = slack.response_url(nina.id, CARE, message)
    async with aiohttp.ClientSession() as session:
        statuses = [(await session.post(url, json={"text": "again"})).status for _ in range(6)]
    assert statuses == [200] * 5 + [404]
    assert len(nina.sees().ephemerals) == 5


@pytest.fixture
def opened(
    slack: SlackServer, web: AsyncWebClient, app: AsyncApp, start: Start
) -> Callable[[Json], Awaitable[Person]]:
    """Nina, with a dialog open that the app opened after her click."""

    async def open_it(view: Json) -> Person:
        @app.action("go")
        async def go(ack: Any, client: Any, body: Any) -> None:
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=view)

        await start()
        nina = slack.person("Nina")
        await nina.clicks(await card(slack, web), "go")
        await until(lambda: nina.modal is not None, "the dialog")
        return nina

    return open_it


Opened = Callable[[Json], Awaitable[Person]]


async def test_a_dialog_is_sent_and_what_the_app_answers_happens_to_it(app: AsyncApp, opened: Opened) -> None:
    """First an error at a field, with the text still there, then another view, then it closes."""
    states: list[Any] = []

    @app.view("edit.submit")
    async def edited(ack: Any, view: Any) -> None:
        states.append(view["state"]["values"])
        if len(states) == 1:
            await ack(response_action="errors", errors={"reply": "Too long for X."})
        elif len(states) == 2:
            await ack(response_action="update", view=modal(field_of("note"), callback_id="edit.submit"))
        else:
            await ack()

    radio = {
        "type": "radio_buttons",
        "action_id": "why",
        "options": [{"text": plain("Tone"), "value": "tone"}],
    }
    reason = {"type": "input", "block_id": "reason", "label": plain("Why"), "element": radio}
    form = modal(field_of("reply", initial_value="Dear Maya"), reason, callback_id="edit.submit")
    nina = await opened(form)
    view = nina.modal
    assert view is not None
    delivery = await nina.submits(view, {"why": "Tone"})
    assert delivery.latency_s < 3
    assert states[0]["reply"]["text"] == {"type": "plain_text_input", "value": "Dear Maya"}
    assert states[0]["reason"]["why"]["selected_option"]["value"] == "tone"
    assert view.errors == {"reply": "Too long for X."}
    await nina.submits(view, {"reply": "Hi Maya"})
    assert states[1]["reply"]["text"]["value"] == "Hi Maya"
    assert nina.modal is view
    assert [block["block_id"] for block in view.blocks] == ["note"]
    await nina.submits(view, {"note": "thanks"})
    assert nina.modal is None


async def test_a_dialog_that_cannot_be_sent_is_not_sent(opened: Opened) -> None:
    """Slack's client stops what is empty or too long before the app hears of it."""
    nina = await opened(modal(field_of("reply", max_length=5)))
    assert nina.modal is not None
    with pytest.raises(AssertionError, match="reply is required"):
        await nina.submits(nina.modal)
    with pytest.raises(AssertionError, match="reply is too long"):
        await nina.submits(nina.modal, {"reply": "123456"})


async def test_leaving_a_dialog_is_told_when_the_app_asked(
    slack: SlackServer, app: AsyncApp, opened: Opened
) -> None:
    """view_closed comes with notify_on_close, and only then."""
    closed: list[bool] = []

    @app.view_closed("edit")
    async def left(ack: Any, body: Any) -> None:
        await ack()
        closed.append(body["is_cleared"])

    nina = await opened(modal(section("x"), callback_id="edit", notify_on_close=True))
    assert nina.modal is not None
    delivery = await nina.closes(nina.modal)
    assert delivery is not None
    assert delivery.acknowledged
    await until(lambda: closed == [False], "the news of it")
    assert nina.modal is None


async def test_what_was_typed_survives_an_update_of_the_view(web: AsyncWebClient, opened: Opened) -> None:
    """Same block and action: the text stays; a hash of an older drawing conflicts."""
    nina = await opened(modal(field_of("reply"), external_id="edit:C-1"))
    view = nina.modal
    assert view is not None
    nina.types(view, {"reply": "Hi Maya"})
    old = view.hash
    await web.views_update(
        external_id="edit:C-1", hash=old, view=modal(section("Shorter?"), field_of("reply"))
    )
    assert view.values["reply"]["text"]["value"] == "Hi Maya"
    stale = web.views_update(view_id=view.id, hash=old, view=modal(section("x")))
    assert await error_of(stale) == "hash_conflict"
    assert await error_of(web.views_update(view_id="V0NONE", view=modal(section("x")))) == "not_found"


async def test_a_trigger_opens_one_view_within_three_seconds(slack: SlackServer, web: AsyncWebClient) -> None:
    """Used twice, too late, or never given: three different refusals."""
    nina = slack.person("Nina")
    once, slow = slack.trigger(nina.id), slack.trigger(nina.id)
    view = modal(section("x"))
    await web.views_open(trigger_id=once, view=view)
    assert await error_of(web.views_open(trigger_id=once, view=view)) == "exchanged_trigger_id"
    slack.passes(3.1)
    assert await error_of(web.views_open(trigger_id=slow, view=view)) == "expired_trigger_id"
    assert await error_of(web.views_open(trigger_id="1.2.3", view=view)) == "invalid_trigger_id"


async def test_views_that_slack_would_not_show_are_refused(slack: SlackServer, web: AsyncWebClient) -> None:
    """invalid_arguments with the place; the trigger is not used up; three views are the most on a stack."""
    nina = slack.person("Nina")
    trigger = slack.trigger(nina.id)
    too_long = modal(section("x"), title=plain("x" * 25))
    with pytest.raises(SlackApiError) as caught:
        await web.views_open(trigger_id=trigger, view=too_long)
    assert caught.value.response["error"] == "invalid_arguments"
    assert "json-pointer:/view/title" in caught.value.response["response_metadata"]["messages"][0]
    await web.views_open(trigger_id=trigger, view=modal(section("1")))
    for number in (2, 3):
        await web.views_push(trigger_id=slack.trigger(nina.id), view=modal(section(str(number))))
    fourth = web.views_push(trigger_id=slack.trigger(nina.id), view=modal(section("4")))
    assert await error_of(fourth) == "push_limit_reached"
    assert nina.modal is not None
    assert nina.modal.root_id == nina.modals[0].id


async def test_opening_home_is_an_event_and_publishing_fills_it(
    slack: SlackServer, web: AsyncWebClient, app: AsyncApp, start: Start
) -> None:
    """The Home tab is one view per person, redrawn in place, and pressed like any other."""
    pressed: list[Any] = []

    @app.event("app_home_opened")
    async def fill(client: Any, event: Any) -> None:
        view = {"type": "home", "blocks": buttons(button("next"))}
        await client.views_publish(user_id=event["user"], view=view)

    @app.action("next")
    async def take(ack: Any, body: Any) -> None:
        await ack()
        pressed.append(body)

    await start()
    nina = slack.person("Nina")
    assert (await nina.opens_home()).acknowledged
    await until(lambda: nina.sees().home is not None, "the Home tab")
    home = nina.sees().home
    assert home is not None
    await nina.clicks(home, "next")
    await until(lambda: len(pressed) == 1, "the press")
    assert pressed[0]["container"] == {"type": "view", "view_id": home.id}
    assert "channel" not in pressed[0]
    old = home.seen()
    await web.views_publish(user_id=nina.id, view={"type": "home", "blocks": [section("All done")]})
    assert (await nina.clicks(old, "next")).acknowledged
    await until(lambda: len(pressed) == 2, "the stale press")
    assert pressed[1]["view"]["hash"] == pressed[0]["view"]["hash"] != home.hash
    as_modal = web.views_publish(user_id=nina.id, view=modal(section("x")))
    assert await error_of(as_modal) == "invalid_arguments"


async def test_a_command_is_answered_to_the_person_alone(
    slack: SlackServer, app: AsyncApp, start: Start
) -> None:
    """At once with the acknowledgement, and later by respond()."""

    @app.command("/heard")
    async def heard(ack: Any, command: Any, respond: Any) -> None:
        await ack(f"{command['text']} for {command['user_name']} in {command['channel_name']}")
        await respond("and more")

    await start()
    nina = slack.person("Nina")
    await nina.runs("/heard", "queue")
    await until(lambda: len(nina.sees().ephemerals) == 2, "both answers")
    texts = {shown.text for shown in nina.sees().ephemerals}
    assert texts == {"queue for nina in social-care", "and more"}


async def test_shortcuts_bring_a_trigger_and_their_message(
    slack: SlackServer, app: AsyncApp, start: Start
) -> None:
    """One from anywhere, one on a message that a person wrote."""
    bodies: list[Any] = []

    @app.shortcut(re.compile(".*"))
    async def taken(ack: Any, body: Any) -> None:
        await ack()
        bodies.append(body)

    await start()
    nina = slack.person("Nina")
    note = nina.writes(CARE, "https://x.com/maya/status/1")
    await nina.takes_shortcut("take_next")
    await nina.takes_shortcut("make_case", note)
    await until(lambda: len(bodies) == 2, "both shortcuts")
    assert [body["type"] for body in bodies] == ["shortcut", "message_action"]
    assert bodies[1]["message"]["text"] == "https://x.com/maya/status/1"


# ── signed HTTP ──────────────────────────────────────────────────────────────────────────────────


async def test_a_signed_request_is_what_the_library_accepts(slack: SlackServer, web: AsyncWebClient) -> None:
    """Body, time and secret are all in the signature; a form carries the payload."""
    verifier = SignatureVerifier(SIGNING_SECRET)
    delivery = await slack.person("Nina").clicks(await card(slack, web), "go")
    headers, body = over_http(delivery, time.time())
    assert body.startswith(b"payload=%7B")
    assert verifier.is_valid_request(body, headers)
    assert not verifier.is_valid_request(body + b" ", headers)
    assert not verifier.is_valid_request(body, over_http(delivery, time.time() - 400)[0])
    assert not verifier.is_valid_request(body, headers | signed(body, time.time(), "another secret"))
