"""The Slack that is played in memory: what it shows, what it refuses, and a whole shift through it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from casework.case import Status
from casework.clock import ManualClock
from escalation.delivery import Messages
from escalation.preview import CHANGED, TROUBLE, PreviewSlack
from escalation.preview_parts import REQUIRED, Body
from escalation.roles import Role
from escalation.slack_desk import Answering
from escalation.slack_payload import (
    Block,
    Payload,
    View,
    actions,
    asks,
    button,
    choices,
    option,
    quote,
    section,
    select,
    text_input,
)
from escalation.slack_web import NotPosted
from streams.connection import Store
from tests.fakes.preview_office import PreviewOffice, open_preview
from tests.fakes.slack_blocks import why_invalid
from tests.fakes.waiting import until

CARE = "#social-care"


class Listeners:
    """Remembers what it was told, and answers what it is set to."""

    def __init__(self) -> None:
        self.told: list[Body] = []
        self.answer: Body | None = {}

    async def __call__(self, body: Body) -> Body | None:
        self.told.append(body)
        return self.answer


@pytest.fixture
def listeners() -> Listeners:
    """Who is told what people do."""
    return Listeners()


@pytest.fixture
def slack(clock: ManualClock, listeners: Listeners) -> PreviewSlack:
    """Two channels, and Omar."""
    made = PreviewSlack(clock, channels=(CARE, "C0LEADS"), colleagues={"Omar": Role.APPROVER})
    made.listens(listeners)
    return made


@pytest.fixture
async def office(store: Store) -> AsyncIterator[PreviewOffice]:
    """The real listeners and the real worker behind the preview."""
    async with open_preview(store) as made:
        yield made


def a_card(words: str = "Hi Maya", value: str = "1") -> Payload:
    """A message with a button."""
    buttons = (
        button("Approve", "approve", value),
        select("rest", "Snooze", [option("An hour", "h"), option("A day", "d")]),
    )
    return Payload("A case", (section(words, "s"), actions("a", *buttons)))


def a_dialog(**changes: Any) -> View:
    """A text that is needed, and a box."""
    box = choices("checkboxes", "o", [option("Only save it", "save")])
    blocks: tuple[Block, ...] = (
        asks("Reply", "reply", text_input("text", most=5, initial="Hi")),
        asks("Options", "opts", box, optional=True),
    )
    return replace(View("modal", blocks, "edit.submit", "Edit", "Send", private_metadata="here"), **changes)


def cards_of(slack: PreviewSlack, name: str) -> list[Body]:
    """Every message somebody sees."""
    messages: list[Body] = slack.sees(name)["messages"]
    return messages


async def pressed(slack: PreviewSlack, name: str, message: Body, element: str, **more: Any) -> Body:
    """Somebody presses an element of a message as it is on their screen."""
    where = {name: message[name] for name in ("channel", "ts", "shown")}
    return await slack.press(name, {"kind": "press", **where, "block": "a", "element": element, **more})


async def with_dialog(slack: PreviewSlack, listeners: Listeners, view: View | None = None) -> Body:
    """Nina has a dialog open."""
    await slack.press("Nina", {"kind": "command", "channel": await slack.channel_id(CARE), "text": "x"})
    await slack.open_view(listeners.told[-1]["trigger_id"], view or a_dialog())
    dialog: Body = slack.sees("Nina")["dialog"]
    return dialog


async def sent(slack: PreviewSlack, dialog: Body, **typed: Any) -> Body:
    """Nina sends what she filled in."""
    did = {"kind": "submit", "view": dialog["id"], "hash": dialog["hash"], "typed": typed}
    return await slack.press("Nina", did)


# ── what Heard calls ─────────────────────────────────────────────────────────────────────────────


def test_it_can_stand_where_slack_stands(slack: PreviewSlack) -> None:
    """Delivery and the desk take it in the place of the Web API."""
    delivers: Messages = slack
    answers: Answering = slack

    assert [delivers, answers] == [slack, slack]


async def test_an_update_replaces_the_blocks(slack: PreviewSlack) -> None:
    """One message with its newest face, also without blocks: then none are left."""
    sent = await slack.post(await slack.channel_id(CARE), a_card())
    await slack.update(sent.channel, sent.ts, a_card("Hi Omar"))
    (message,) = cards_of(slack, "Nina")
    assert message["blocks"][0]["text"]["text"] == "Hi Omar"

    await slack.update(sent.channel, sent.ts, Payload("Gone", ()))
    (message,) = cards_of(slack, "Nina")
    assert (message["text"], message["blocks"]) == ("Gone", [])


async def test_a_deleted_message_cannot_be_updated(slack: PreviewSlack) -> None:
    """As in Slack, so that whoever needs it posts another."""
    sent = await slack.post(await slack.channel_id(CARE), a_card())
    await slack.delete(sent.channel, sent.ts)

    with pytest.raises(NotPosted) as refused:
        await slack.update(sent.channel, sent.ts, a_card())
    assert refused.value.reason == "message_not_found"
    assert cards_of(slack, "Nina")[0]["gone"]


async def test_a_note_is_seen_by_one_person_alone(slack: PreviewSlack) -> None:
    """Nina reads it, Omar does not."""
    nina = slack.sees("Nina")["you"]["id"]
    await slack.ephemeral(await slack.channel_id(CARE), nina, "Your click did nothing.")

    (note,) = cards_of(slack, "Nina")
    assert (note["text"], note["private"]) == ("Your click did nothing.", True)
    assert cards_of(slack, "Omar") == []


async def test_a_message_to_a_person_is_theirs(slack: PreviewSlack) -> None:
    """In their messages with the app, where nobody else looks."""
    nina = slack.sees("Nina")["you"]["id"]
    sent = await slack.post(nina, Payload("Hello", ()))

    assert [message["channel"] for message in cards_of(slack, "Nina")] == [sent.channel]
    assert sent.channel in [channel["id"] for channel in slack.sees("Nina")["channels"]]
    assert cards_of(slack, "Omar") == []


async def test_what_slack_does_not_know_is_refused(slack: PreviewSlack) -> None:
    """In the same words, and with the same errors, as the Web API has them."""
    with pytest.raises(NotPosted, match="no such channel"):
        await slack.channel_id("#elsewhere")
    with pytest.raises(NotPosted, match="no such channel"):
        await slack.post("C0NONE", a_card())
    with pytest.raises(NotPosted, match="no such person"):
        await slack.person("U0NONE")
    assert await slack.channel_id("C0LEADS") == "C0LEADS"
    assert await slack.channel_id("@omar") == slack.sees("Omar")["you"]["id"]
    assert (await slack.person(await slack.channel_id("@omar"))).name == "Omar"


async def test_a_post_is_found_by_its_metadata(slack: PreviewSlack, clock: ManualClock) -> None:
    """After a crash: the card of a case in its channel, a line by its key in its thread."""
    channel, now = await slack.channel_id(CARE), clock.now()
    known: Block = {"event_type": "case_card", "event_payload": {"case": "C-1", "version": 2}}
    sent = await slack.post(channel, a_card(), metadata=known)
    line: Block = {"event_type": "case_line", "event_payload": {"key": "k"}}
    said = await slack.post(channel, Payload("x", ()), sent.ts, line)

    assert await slack.find_card(channel, "C-1", now) == sent.ts
    assert await slack.find_card(channel, "C-2", now) is None
    assert await slack.find_line(channel, "k", now, sent.ts) == said.ts
    assert await slack.find_line(channel, "k", now) is None


async def test_only_what_changed_is_told_again(slack: PreviewSlack) -> None:
    """A page that has everything is told nothing; one of another day is told all."""
    channel = await slack.channel_id(CARE)
    await slack.post(channel, a_card())
    mark = slack.sees("Nina")["mark"]
    assert "messages" not in slack.sees("Nina", mark)
    await slack.post(channel, a_card("second"))

    later = slack.sees("Nina", mark)
    assert [message["blocks"][0]["text"]["text"] for message in later["messages"]] == ["second"]
    assert not later["fresh"]
    for odd in ("", "x", "00000000-7", f"{mark}9999999999999999999", "-", "\u0663"):
        assert len(slack.sees("Nina", odd)["messages"]) == 2


async def test_everybody_here_is_in_the_team(slack: PreviewSlack) -> None:
    """Whoever comes decides as a manager, colleagues by their role; groups are everybody."""
    nina = slack.sees("Nina")["you"]["id"]
    team = slack.team()

    assert team.role_of(await slack.person(nina)) is Role.MANAGER
    assert team.role_of(await slack.person(await slack.channel_id("@Omar"))) is Role.APPROVER
    assert nina in await slack.group_members("@social-care")
    assert slack.sees("Nina")["groups"] == {await slack.group_id("@social-care"): "social-care"}


# ── what people do ───────────────────────────────────────────────────────────────────────────────


async def test_a_press_is_told_as_slack_tells_it(slack: PreviewSlack, listeners: Listeners) -> None:
    """Who, where, what, and the state of every choice that is on the message."""
    await slack.post(await slack.channel_id(CARE), a_card(value="7"))
    (message,) = cards_of(slack, "Nina")
    assert await pressed(slack, "Nina", message, "approve") == {}

    (body,) = listeners.told
    (action,) = body["actions"]
    assert (body["type"], body["user"]["name"], body["user"]["team_id"]) == (
        "block_actions",
        "nina",
        slack.team_id,
    )
    assert (body["container"]["message_ts"], body["channel"]["name"]) == (message["ts"], "social-care")
    assert (action["action_id"], action["block_id"], action["value"]) == ("approve", "a", "7")
    assert body["state"]["values"] == {"a": {"rest": {"type": "static_select", "selected_option": None}}}
    assert body["message"]["blocks"] == message["blocks"]

    await pressed(slack, "Nina", message, "rest", value="d")
    (chosen,) = listeners.told[1]["actions"]
    assert chosen["selected_option"]["text"]["text"] == "A day"
    assert chosen["action_ts"] != action["action_ts"]


async def test_what_is_pressed_is_what_was_seen(slack: PreviewSlack, listeners: Listeners) -> None:
    """A page that is behind presses the old button, as in Slack; far behind it presses nothing (T5)."""
    sent = await slack.post(await slack.channel_id(CARE), a_card(value="1"))
    (seen,) = cards_of(slack, "Nina")
    await slack.update(sent.channel, sent.ts, a_card(value="2"))
    await pressed(slack, "Nina", seen, "approve")
    assert listeners.told[0]["actions"][0]["value"] == "1"

    for number in range(10):
        await slack.update(sent.channel, sent.ts, a_card(value=f"{number}"))
    assert await pressed(slack, "Nina", seen, "approve") == {"problem": CHANGED}
    assert len(listeners.told) == 1


@pytest.mark.parametrize(
    "did",
    [
        {},
        {"kind": ["press"]},
        {"kind": "press"},
        {"kind": "press", "channel": "C0LEADS", "ts": "1.1", "shown": "x", "block": 1, "element": None},
        {"kind": "press", "view": 3},
        {"kind": "submit", "view": "V1", "hash": {}, "typed": []},
        {"kind": "command", "channel": "C0NONE", "text": "queue"},
        {"kind": "command", "channel": "D0OTHER", "text": "queue"},
        {"kind": "explode"},
    ],
)
async def test_what_cannot_be_done_is_answered_and_told_to_nobody(
    slack: PreviewSlack, listeners: Listeners, did: Body
) -> None:
    """Words for whoever did it; no exception, no payload."""
    assert (await slack.press("Nina", did))["problem"]
    assert listeners.told == []


async def test_only_what_is_there_can_be_chosen(slack: PreviewSlack, listeners: Listeners) -> None:
    """A page sends what its buttons carry, and nobody's invention."""
    await slack.post(await slack.channel_id(CARE), a_card())
    (message,) = cards_of(slack, "Nina")

    for odd in ("month", None, 3, {"value": "h"}, ["h"]):
        answer = await pressed(slack, "Nina", message, "rest", value=odd)
        assert answer == ({} if odd is None else {"problem": "That cannot be chosen."})
    assert (await pressed(slack, "Nina", message, "other"))["problem"]


async def test_nobody_presses_what_another_alone_sees(slack: PreviewSlack) -> None:
    """Nina's note is not Omar's to press."""
    nina = slack.sees("Nina")["you"]["id"]
    await slack.ephemeral(await slack.channel_id(CARE), nina, "Only for you")
    (note,) = cards_of(slack, "Nina")

    assert "not there" in (await pressed(slack, "Omar", note, "approve"))["problem"]


async def test_listeners_that_do_not_answer_are_said_as_slack_says_it(
    slack: PreviewSlack, listeners: Listeners
) -> None:
    """No acknowledgement: the person reads that it did not work."""
    listeners.answer = None
    channel = await slack.channel_id(CARE)

    assert await slack.press("Nina", {"kind": "command", "channel": channel, "text": "queue"}) == {
        "problem": TROUBLE
    }


# ── dialogs and Home ─────────────────────────────────────────────────────────────────────────────


async def test_a_trigger_opens_one_dialog_within_three_seconds(
    clock: ManualClock, listeners: Listeners
) -> None:
    """A second one, a late one and an invented one are refused with Slack's own words."""
    seconds = [0.0]
    slack = PreviewSlack(clock, channels=(CARE,), now=lambda: seconds[0])
    slack.listens(listeners)
    await with_dialog(slack, listeners)
    used = listeners.told[-1]["trigger_id"]
    await slack.press("Nina", {"kind": "home"})
    await slack.press("Nina", {"kind": "command", "channel": await slack.channel_id(CARE), "text": "x"})
    late = listeners.told[-1]["trigger_id"]
    seconds[0] = 3.1

    reasons = []
    for trigger in (used, late, "t0"):
        with pytest.raises(NotPosted) as refused:
            await slack.open_view(trigger, a_dialog())
        reasons.append(refused.value.reason)
    assert reasons == ["exchanged_trigger_id", "expired_trigger_id", "invalid_trigger_id"]


async def test_what_is_filled_in_is_told_with_the_dialog(slack: PreviewSlack, listeners: Listeners) -> None:
    """What was typed, what was ticked, and the metadata that the page never saw."""
    dialog = await with_dialog(slack, listeners)
    assert "private_metadata" not in dialog
    await sent(slack, dialog, reply={"text": "Hello"}, opts={"o": ["save"]})

    body = listeners.told[-1]
    values = body["view"]["state"]["values"]
    assert (body["type"], body["view"]["private_metadata"]) == ("view_submission", "here")
    assert values["reply"]["text"] == {"type": "plain_text_input", "value": "Hello"}
    assert [one["value"] for one in values["opts"]["o"]["selected_options"]] == ["save"]
    assert slack.sees("Nina")["dialog"] is None


async def test_what_slacks_app_would_not_send_is_not_sent(slack: PreviewSlack, listeners: Listeners) -> None:
    """A needed field that is empty, and one that is too long, are said beside it."""
    dialog = await with_dialog(slack, listeners)
    before = len(listeners.told)
    await sent(slack, dialog, reply={"text": ""})
    assert slack.sees("Nina")["dialog"]["errors"] == {"reply": REQUIRED}
    await sent(slack, dialog, reply={"text": "✈️" * 3})

    assert slack.sees("Nina")["dialog"]["errors"] == {"reply": "At most 5 characters."}
    assert len(listeners.told) == before


async def test_the_answer_decides_what_becomes_of_a_dialog(slack: PreviewSlack, listeners: Listeners) -> None:
    """Errors stand beside their field, an update takes its place, an empty answer closes it."""
    dialog = await with_dialog(slack, listeners)
    listeners.answer = {"response_action": "errors", "errors": {"reply": "Too cold."}}
    await sent(slack, dialog)
    assert slack.sees("Nina")["dialog"]["errors"] == {"reply": "Too cold."}

    waits = View("modal", (section("Saving…", "s"),), "told", "One moment").as_json()
    listeners.answer = {"response_action": "update", "view": waits}
    await sent(slack, dialog)
    after = slack.sees("Nina")["dialog"]
    assert (after["id"], after["title"]["text"]) == (dialog["id"], "One moment")
    assert after["hash"] != dialog["hash"]
    assert "nothing to send" in (await sent(slack, after))["problem"]


async def test_a_dialog_that_was_redrawn_is_not_sent_as_it_was(
    slack: PreviewSlack, listeners: Listeners
) -> None:
    """The hash of what was seen is not the hash of what is there."""
    dialog = await with_dialog(slack, listeners)
    await slack.update_view(dialog["id"], a_dialog(title="Changed"))

    assert await sent(slack, dialog) == {"problem": CHANGED}
    with pytest.raises(NotPosted) as refused:
        await slack.update_view(dialog["id"], a_dialog(), dialog["hash"])
    assert refused.value.reason == "hash_conflict"


async def test_closing_is_told_where_the_app_asks_for_it(slack: PreviewSlack, listeners: Listeners) -> None:
    """One that holds a lock; another closes without a word, and cannot be drawn again."""
    dialog = await with_dialog(slack, listeners, a_dialog(notify_on_close=True))
    await slack.press("Nina", {"kind": "close", "view": dialog["id"]})
    assert listeners.told[-1]["type"] == "view_closed"
    quiet = await with_dialog(slack, listeners)
    told = len(listeners.told)
    await slack.press("Nina", {"kind": "close", "view": quiet["id"]})

    assert len(listeners.told) == told
    with pytest.raises(NotPosted) as refused:
        await slack.update_view(quiet["id"], a_dialog())
    assert refused.value.reason == "not_found"


async def test_home_is_everybodys_own(slack: PreviewSlack, listeners: Listeners) -> None:
    """Opening it is an event with the Home that is there; what is published is one person's."""
    await slack.press("Nina", {"kind": "home"})
    assert listeners.told[-1]["event"]["type"] == "app_home_opened"
    assert "view" not in listeners.told[-1]["event"]
    nina = slack.sees("Nina")["you"]["id"]
    await slack.publish_home(
        nina, View("home", (quote("Hi", "q"),), "home", private_metadata='{"f":"mine","p":0}')
    )
    await slack.press("Nina", {"kind": "home"})

    assert listeners.told[-1]["event"]["view"]["private_metadata"] == '{"f":"mine","p":0}'
    assert slack.sees("Nina")["home"]["blocks"][0]["type"] == "rich_text"
    assert slack.sees("Omar")["home"] is None


async def test_only_the_newest_messages_are_kept(
    slack: PreviewSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview that runs for days stays small."""
    monkeypatch.setattr("escalation.preview.MOST_MESSAGES", 3)
    channel = await slack.channel_id(CARE)
    for number in range(5):
        await slack.post(channel, a_card(f"{number}"))

    assert [one["blocks"][0]["text"]["text"] for one in cards_of(slack, "Nina")] == ["2", "3", "4"]


# ── a shift ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_card_is_approved_through_the_real_listeners(office: PreviewOffice) -> None:
    """From the press to the case, and back to the card; Slack itself is never asked."""
    case = await office.case()
    message = await office.card(case)
    assert why_invalid(message["blocks"], "message") == []
    assert await office.presses("Nina", message, "card.approve") == {}
    await until(lambda: "card.approve" not in office.actions_on(case), "the card says so")

    after = await office.cases.load(case.id)
    assert (after.status, after.moved_by) == (Status.APPROVED, "Nina")


async def test_who_comes_too_late_reads_it_alone(office: PreviewOffice) -> None:
    """Omar's page is behind; his click does nothing and says so to him."""
    case = await office.case()
    message = await office.card(case)
    await office.presses("Nina", message, "card.approve")
    await until(lambda: "card.approve" not in office.actions_on(case), "the card says so")
    await office.presses("Omar", message, "card.approve")
    await until(lambda: office.notes("Omar") != [], "Omar is told")

    assert "Nina already" in office.notes("Omar")[0]
    assert office.notes("Nina") == []


async def test_a_reply_is_edited_in_a_dialog(office: PreviewOffice) -> None:
    """Opened at once, refused for a hard reason beside the field, then sent."""
    office.objections = lambda text: ["The text swears."] if "damn" in text else []
    case = await office.case()
    message = await office.card(case)
    await office.presses("Nina", message, "card.edit")
    dialog = office.slack.sees("Nina")["dialog"]
    assert dialog["title"]["text"] == "Edit reply"
    sends = {"kind": "submit", "view": dialog["id"], "hash": dialog["hash"]}

    await office.slack.press("Nina", {**sends, "typed": {"reply": {"text": "damn"}}})
    assert "swears" in office.slack.sees("Nina")["dialog"]["errors"]["reply"]
    await office.slack.press("Nina", {**sends, "typed": {"reply": {"text": "Hi Maya, it is on its way."}}})
    await until(lambda: "card.approve" not in office.actions_on(case), "the card says so")

    after = await office.cases.load(case.id)
    assert after.draft is not None
    assert (after.status, after.draft.text) == (Status.APPROVED, "Hi Maya, it is on its way.")


async def test_home_and_commands_are_answered(office: PreviewOffice) -> None:
    """The queue in Home, and the words of a command for one person."""
    case = await office.case()
    await office.card(case)
    await office.slack.press("Nina", {"kind": "home"})
    await until(lambda: office.slack.sees("Nina")["home"] is not None, "Home")
    assert case.id in str(office.slack.sees("Nina")["home"])

    channel = await office.slack.channel_id(CARE)
    await office.slack.press("Nina", {"kind": "command", "channel": channel, "text": "queue"})
    await until(lambda: office.notes("Nina") != [], "an answer")
    assert case.id in office.notes("Nina")[0]
    await asyncio.sleep(0)
    assert office.notes("Omar") == []
