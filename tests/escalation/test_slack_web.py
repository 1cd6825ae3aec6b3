"""Slack's Web API as Heard calls it: once each, with every trouble in words, and nothing in the logs."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web as http

from casework.errors import TryAgainLater
from escalation.roles import Person
from escalation.slack_payload import Payload, View, section
from escalation.slack_web import (
    LoginRefused,
    Lost,
    NotPosted,
    RateLimited,
    SlackTrouble,
    Web,
    refusal,
    trouble_of,
)
from tests.fakes.slack_server import BOT_TOKEN, SlackServer, open_slack
from tests.fakes.slack_things import BOT_USER
from tests.fakes.slack_wire import Fate, answer_lost, broken, garbage, late, ratelimited, refused, unheard

CARE = "C0SOCIAL"
SECRET_WORDS = "my card number is 4111"
HELLO = Payload("Hello.", (section("Hello.", "b"),))
HOME = View("home", (section("Nothing waits.", "b"),), "home")
DIALOG = View("modal", (section("Sure?", "b"),), "ask", title="Ask")


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    """A workspace."""
    async with open_slack(seed=7) as server:
        server.limits.post_every_s = None
        yield server


@pytest.fixture
async def web(slack: SlackServer) -> AsyncIterator[Web]:
    """Our client of it."""
    async with Web(BOT_TOKEN, slack.url) as opened:
        yield opened


def card(case: str) -> dict[str, object]:
    return {"event_type": "case_card", "event_payload": {"case": case}}


def ago(slack: SlackServer, seconds: float = 0) -> datetime:
    return datetime.fromtimestamp(slack.now() - seconds, UTC)


# ── one request each ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fate",
    [answer_lost(), unheard(), broken(500), broken(503), garbage(), garbage(200), ratelimited(3)],
    ids=["lost", "unheard", "500", "503", "a page", "a page that says 200", "429"],
)
async def test_a_call_is_one_request_whatever_becomes_of_it(slack: SlackServer, web: Web, fate: Fate) -> None:
    """slack_sdk by itself posts twice when an answer is lost."""
    slack.always("*", fate)
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: web.post(CARE, HELLO),
        lambda: web.update(CARE, "17.000001", HELLO),
        lambda: web.ephemeral(CARE, "U0NINA", "Hello."),
        lambda: web.publish_home("U0NINA", HOME),
    ]
    for number, call in enumerate(calls, 1):
        with pytest.raises(SlackTrouble):
            await call()
        assert len(slack.calls()) == number


@pytest.mark.parametrize(
    "fate", [answer_lost(), unheard(), broken(500), broken(503), garbage(), garbage(200)]
)
async def test_without_an_answer_nobody_knows_what_became_of_a_post(
    slack: SlackServer, web: Web, fate: Fate
) -> None:
    """Whether it is there or not."""
    slack.next("chat.postMessage", fate)
    with pytest.raises(Lost):
        await web.post(CARE, HELLO)


@pytest.mark.parametrize("reason", ["fatal_error", "internal_error"])
async def test_slacks_own_faults_may_have_posted(slack: SlackServer, web: Web, reason: str) -> None:
    """It says so itself."""
    slack.next("chat.postMessage", refused(reason))
    with pytest.raises(Lost):
        await web.post(CARE, HELLO)


async def test_an_answer_that_takes_too_long_is_lost(
    slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is there all the same."""
    monkeypatch.setattr("escalation.slack_web.TOTAL_S", 0.2)
    async with Web(BOT_TOKEN, slack.url) as web:
        slack.next("chat.postMessage", late(0.5))
        with pytest.raises(Lost):
            await web.post(CARE, HELLO)
    assert len(slack.calls("chat.postMessage")) == 1


async def test_what_was_never_sent_is_not_lost(slack: SlackServer, web: Web) -> None:
    """Nobody answers at the address: nothing was posted, and it passes by itself."""
    await slack.down()
    with pytest.raises(NotPosted) as caught:
        await web.post(CARE, HELLO)
    assert (caught.value.reason, caught.value.permanent) == ("unreachable", False)


async def test_nobody_sends_us_elsewhere() -> None:
    """A redirect would carry the token and the message to another host."""
    asked = list[str]()

    async def redirect(request: http.Request) -> http.Response:
        asked.append(request.path)
        return http.Response(status=307, headers={"Location": str(request.url.with_path("/elsewhere"))})

    app = http.Application()
    app.router.add_route("*", "/{tail:.*}", redirect)
    runner = http.AppRunner(app)
    await runner.setup()
    await http.TCPSite(runner, "127.0.0.1", 0).start()
    async with Web(BOT_TOKEN, f"http://127.0.0.1:{runner.addresses[0][1]}/api/") as web:
        with pytest.raises(NotPosted, match="Something between here and Slack"):
            await web.post(CARE, HELLO)
    await runner.cleanup()
    assert asked == ["/api/chat.postMessage"]


# ── troubles in words ────────────────────────────────────────────────────────────────────────────


async def test_slack_says_how_long_to_wait(slack: SlackServer, web: Web) -> None:
    """And that is how long."""
    slack.next("chat.postMessage", ratelimited(17))
    with pytest.raises(RateLimited) as caught:
        await web.post(CARE, HELLO)
    assert (caught.value.after, caught.value.method) == (timedelta(seconds=17), "chat.postMessage")


@pytest.mark.parametrize("said", ["", "soon", "-5", "999999", "1.5"])
def test_a_wait_that_makes_no_sense_is_bounded(said: str) -> None:
    """Never at once, never for days."""
    trouble = trouble_of("chat.update", 429, {"Retry-After": said}, {})
    assert timedelta(seconds=1) <= trouble.after <= timedelta(hours=1)


@pytest.mark.parametrize("trouble", ["invalid_auth", "token_revoked", "account_inactive"])
async def test_a_token_that_does_not_work_is_told_apart(slack: SlackServer, web: Web, trouble: str) -> None:
    """Nothing will work until there is another, and the words say where it goes."""
    slack.revoke(BOT_TOKEN, trouble)
    with pytest.raises(LoginRefused, match="HEARD_SLACK__BOT_TOKEN") as caught:
        await web.post(CARE, HELLO)
    assert caught.value.reason == trouble


async def test_a_channel_that_is_not_ours_is_said_with_its_remedy(slack: SlackServer, web: Web) -> None:
    """Uninvited, archived, or not there at all."""
    slack.channel("C0OTHER", "other", invited=False)
    slack.channel("C0OLD", "old", archived=True)
    for channel, words in (
        ("C0OTHER", "/invite @heard"),
        ("C0OLD", "archived"),
        ("C0NONE", "brand.yaml"),
    ):
        with pytest.raises(NotPosted, match=words) as caught:
            await web.post(channel, HELLO)
        assert caught.value.permanent


async def test_a_missing_scope_is_named(slack: SlackServer, web: Web) -> None:
    """With where to add it."""
    slack.tokens[BOT_TOKEN].scopes.remove("chat:write")
    with pytest.raises(NotPosted, match=r"lacks the scope chat:write.*Bot Token Scopes"):
        await web.post(CARE, HELLO)


async def test_what_cannot_be_shown_says_where_and_not_what(slack: SlackServer, web: Web) -> None:
    """Slack names the place; the words stay out of it."""
    bad = Payload("Hello.", ({"type": "section", "text": {"type": "mrkdwn", "text": SECRET_WORDS * 500}},))
    with pytest.raises(NotPosted, match="/blocks/0") as caught:
        await web.post(CARE, bad)
    assert caught.value.reason == "invalid_blocks"
    assert SECRET_WORDS not in str(caught.value)


@pytest.mark.parametrize(
    "reason",
    [
        "channel_not_found", "not_in_channel", "is_archived", "restricted_action", "msg_too_long",
        "invalid_blocks", "message_not_found", "cant_update_message", "expired_trigger_id", "not_found",
        "hash_conflict", "user_not_found", "no_such_subteam", "not_enabled", "view_too_large",
    ],
)  # fmt: skip
def test_every_usual_refusal_has_words_of_its_own(reason: str) -> None:
    """And needs somebody, or something else to send."""
    trouble = refusal("a.method", reason)
    assert isinstance(trouble, NotPosted)
    assert trouble.permanent
    assert reason not in trouble.words
    assert trouble.words.endswith(".")


@pytest.mark.parametrize("raw", ["<!channel>", "new_error_of_2027", "", "x" * 500, None, 7, {"a": 1}])
def test_what_slack_says_for_the_first_time_is_told_plainly(raw: Any) -> None:
    """And whatever it is, nothing in it is obeyed by Slack or a terminal."""
    trouble = trouble_of("a.method", 400, {}, {"error": raw})
    assert isinstance(trouble, NotPosted | TryAgainLater)
    assert not set("<>&*`\n") & set(str(trouble))
    assert len(str(trouble)) < 200


# ── messages and views ───────────────────────────────────────────────────────────────────────────


async def test_a_message_is_posted_threaded_drawn_again_and_deleted(slack: SlackServer, web: Web) -> None:
    """Always with its blocks."""
    sent = await web.post(CARE, HELLO, metadata=card("C-64"))
    line = await web.post(CARE, HELLO, thread_ts=sent.ts)
    await web.update(CARE, sent.ts, Payload("Changed.", (section("Changed.", "b2"),)))
    first, second = slack.messages(CARE)

    assert (first.text, first.blocks[0]["block_id"], first.metadata) == ("Changed.", "b2", card("C-64"))
    assert (second.ts, second.thread_ts, sent.channel) == (line.ts, first.ts, CARE)
    assert not first.edited
    await web.delete(CARE, sent.ts)
    with pytest.raises(NotPosted) as caught:
        await web.update(CARE, sent.ts, HELLO)
    assert caught.value.reason == "message_not_found"


async def test_one_person_is_told(slack: SlackServer, web: Web) -> None:
    """And nobody else sees it."""
    nina = slack.person("Nina")
    await web.ephemeral(CARE, nina.id, "Your click did nothing.")
    assert [shown.text for shown in nina.sees().ephemerals] == ["Your click did nothing."]
    assert slack.messages(CARE) == []


async def test_views_are_opened_changed_and_published(slack: SlackServer, web: Web) -> None:
    """A hash that is old changes nothing, and a trigger lives three seconds."""
    nina = slack.person("Nina")
    shown = await web.open_view(slack.trigger(nina.id), DIALOG)
    changed = await web.update_view(shown.view_id, DIALOG, shown.hash)
    assert (nina.modal is not None, changed.hash != shown.hash) == (True, True)
    for call, reason in (
        (web.update_view(shown.view_id, DIALOG, shown.hash), "hash_conflict"),
        (web.update_view("V0NONE", DIALOG), "not_found"),
        (web.open_view("1.2.3", DIALOG), "invalid_trigger"),
    ):
        with pytest.raises(NotPosted) as caught:
            await call
        assert caught.value.reason.startswith(reason)
    stale = slack.trigger(nina.id)
    slack.passes(4)
    with pytest.raises(NotPosted, match="3 seconds"):
        await web.open_view(stale, DIALOG)

    home = await web.publish_home(nina.id, HOME)
    await web.publish_home(nina.id, HOME, home.hash)
    assert nina.sees().home is not None


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_card_is_found_by_what_it_carries(slack: SlackServer, web: Web) -> None:
    """On whichever page; the newest of its case; and none that others wrote or that came before."""
    old = await web.post(CARE, HELLO, metadata=card("C-64"))
    slack.passes(3600)
    slack.say(CARE, "U0NINA", "I am a card", metadata=card("C-65"))
    ours = await web.post(CARE, HELLO, metadata=card("C-64"))
    for _ in range(450):
        slack.say(CARE, BOT_USER, "another", metadata=card("C-1"))

    assert await web.find_card(CARE, "C-64", ago(slack, 60)) == ours.ts
    assert await web.find_card(CARE, "C-65", ago(slack, 60)) is None
    assert await web.find_card(CARE, "C-64", ago(slack, 7200)) == ours.ts != old.ts
    slack.passes(600)
    assert await web.find_card(CARE, "C-64", ago(slack)) is None


async def test_a_line_is_found_in_its_thread(slack: SlackServer, web: Web) -> None:
    """The channel itself does not show it."""
    line: dict[str, object] = {"event_type": "case_line", "event_payload": {"key": "line:C-64:told"}}
    parent = await web.post(CARE, HELLO)
    sent = await web.post(CARE, HELLO, thread_ts=parent.ts, metadata=line)

    assert await web.find_line(CARE, "line:C-64:told", ago(slack, 60), parent.ts) == sent.ts
    assert await web.find_line(CARE, "line:C-64:told", ago(slack, 60)) is None
    assert await web.find_line(CARE, "line:C-64:else", ago(slack, 60), parent.ts) is None


async def test_hostile_metadata_is_no_card(slack: SlackServer, web: Web) -> None:
    """Whatever shape it has."""
    for metadata in ({}, {"event_type": "case_card"}, {"event_type": "case_card", "event_payload": [1]}):
        slack.say(CARE, BOT_USER, "hello", metadata=metadata)
    assert await web.find_card(CARE, "C-64", ago(slack, 60)) is None


# ── the workspace ────────────────────────────────────────────────────────────────────────────────


async def test_the_token_says_who_it_is(web: Web) -> None:
    """And what it may."""
    auth = await web.auth()
    assert (auth.team, auth.team_id, auth.user_id) == ("Aurora Air", "T0AURORA", BOT_USER)
    assert "chat:write" in auth.scopes


async def test_people_are_what_slack_says_they_are(slack: SlackServer, web: Web) -> None:
    """Guests, bots, leavers and people of other workspaces are told apart."""
    nina = await web.person(slack.person("Nina").id)
    assert nina == Person("U0NINA", "Nina", "T0AURORA")
    assert (await web.person(slack.person("Gus", guest=True).id)).guest
    assert (await web.person(slack.person("Robo", bot=True).id)).bot
    assert (await web.person(slack.person("Lee", gone=True).id)).deleted
    assert (await web.person(slack.person("Sten", stranger=True).id)).team == "T0STRANGER"
    with pytest.raises(NotPosted, match="no such person"):
        await web.person("U0NONE")


async def test_what_was_asked_lately_is_not_asked_again(slack: SlackServer) -> None:
    """For five minutes; what could not be found out is asked each time."""
    seconds = [0.0]
    async with Web(BOT_TOKEN, slack.url, now=lambda: seconds[0]) as web:
        nina = slack.person("Nina")
        for at in (0, 299, 300):
            seconds[0] = at
            await web.person(nina.id)
        assert len(slack.calls("users.info")) == 2
        slack.next("users.info", broken(500))
        with pytest.raises(Lost):
            await web.person("U0SAM")
        slack.person("Sam")
        assert (await web.person("U0SAM")).name == "Sam"


async def test_groups_have_members(slack: SlackServer, web: Web) -> None:
    """By handle or id; one that is not there is said, and is nobody's."""
    nina, sam = slack.person("Nina"), slack.person("Sam")
    slack.group("S0CARE", "social-care", [nina, sam])
    assert await web.group_members("@social-care") == {nina.id, sam.id}
    assert await web.group_members("S0CARE") == {nina.id, sam.id}
    assert await web.group_id("@Social-Care") == "S0CARE"
    with pytest.raises(NotPosted, match="user group"):
        await web.group_members("@nobody")


async def test_channels_are_found_by_name(slack: SlackServer, web: Web) -> None:
    """On any page, private ones too; a new one at once; ids and people pass."""
    for number in range(450):
        slack.channel(f"C0N{number}", f"noise-{number}")
    slack.channel("C0SECRET", "leads-only", private=True)
    assert await web.channel_id("#leads-only") == "C0SECRET"
    assert await web.channel_id("noise-449") == "C0N449"
    slack.channel("C0NEW", "brand-new")
    assert await web.channel_id("#brand-new") == "C0NEW"
    assert await web.channel_id(" C0ANY ") == "C0ANY"
    slack.person("Lena")
    assert await web.channel_id("@lena") == "U0LENA"
    for name in ("#nowhere", "@nobody"):
        with pytest.raises(NotPosted, match=r"brand\.yaml"):
            await web.channel_id(name)


async def test_nothing_of_a_message_or_token_is_logged(
    slack: SlackServer, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at the lowest level, and not in what is raised."""
    caplog.set_level(logging.DEBUG)
    message = Payload(SECRET_WORDS, (section(SECRET_WORDS, "b"),))
    await web.post(CARE, message)
    for fate in (broken(500), answer_lost(), refused("invalid_blocks"), garbage(200)):
        slack.next("chat.postMessage", fate)
        with pytest.raises(SlackTrouble) as caught:
            await web.post(CARE, message)
        said = f"{caught.value!r} {caught.value.__cause__!r}"
        assert SECRET_WORDS not in said
        assert BOT_TOKEN not in said
        assert caught.value.__suppress_context__
    assert SECRET_WORDS not in caplog.text
    assert BOT_TOKEN not in caplog.text
