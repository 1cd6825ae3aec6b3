"""Slack's requests: stored before they are acknowledged, dialogs at once, signatures, all answered."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from redis.exceptions import ConnectionError as StoreConnectionError

from casework.case import Case, Status
from casework.clock import ManualClock
from casework.decisions import Hard
from escalation.cards import card
from escalation.delivery import Delivery, Drawing
from escalation.http import PATH, SignedHttp
from escalation.press_plans import OPENS
from escalation.press_worker import PressWorker
from escalation.presses import NotOurs, Press, from_bytes, read_press
from escalation.roles import Role
from escalation.slack_app import GONE, build_app
from escalation.slack_payload import Payload
from escalation.socket import Pace, Sockets
from streams.budget import SharedBudget
from streams.connection import Store
from streams.requests import SeenRequests
from tests.fakes.slack_office import CARE, Office, ended
from tests.fakes.slack_people import Person
from tests.fakes.slack_server import APP_TOKEN, BOT_TOKEN, open_slack
from tests.fakes.slack_things import View
from tests.fakes.slack_wire import SIGNING_SECRET, over_http, signed
from tests.fakes.waiting import until

log = structlog.get_logger(__name__)
NOTHING = Payload("", ())


@pytest.fixture
async def office(store: Store, clock: ManualClock) -> AsyncIterator[Office]:
    """An office that Slack reaches through two connections."""
    async with open_slack(seed=5) as slack:
        slack.limits.post_every_s = None
        slack.limits.per_minute.clear()
        made = Office(slack, store, clock, {})
        sockets = Sockets(made.app, APP_TOKEN, pace=Pace(retires_s=0.05))
        holding = asyncio.create_task(sockets.run())
        await until(lambda: sockets.state().listening == 2, "both connections")
        yield made
        await ended(holding)
        await made.web.close()
        if made.app.client.session is not None:
            await made.app.client.session.close()


def modal_of(person: Person) -> View:
    """The dialog in front of somebody."""
    assert person.modal is not None, f"no dialog; {person.troubles}"
    return person.modal


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def button(**changes: Any) -> dict[str, Any]:
    """A click as Slack tells it."""
    value = json.dumps({"c": "C-64", "v": 3, "d": "0123456789abcdef"})
    body: dict[str, Any] = {
        "type": "block_actions",
        "user": {"id": "U0NINA", "name": "nina", "team_id": "T0AURORA"},
        "team": {"id": "T0AURORA", "domain": "aurora"},
        "container": {"type": "message", "message_ts": "1.000001", "channel_id": "C0SOCIAL"},
        "channel": {"id": "C0SOCIAL", "name": "social-care"},
        "trigger_id": "1.2.abc",
        "actions": [{"type": "button", "action_id": "card.approve", "value": value, "action_ts": "2.000002"}],
    }
    return body | changes


def test_a_click_is_read_whole() -> None:
    """Who, what, where, and the case, version and text that were seen."""
    press = read_press(button())
    assert isinstance(press, Press)
    assert (press.action, press.by, press.case, press.version) == ("card.approve", "U0NINA", "C-64", 3)
    assert (press.channel, press.ts, press.draft) == ("C0SOCIAL", "1.000001", "0123456789abcdef")
    assert from_bytes(press.to_bytes()) == press


def test_a_press_is_named_by_what_was_pressed_and_not_by_how_it_came() -> None:
    """Slack's retries are one press; in Slack Connect the team is another (hermes 100112)."""
    first, again = read_press(button()), read_press(button(trigger_id="9.9.z", token="other"))
    elsewhere = read_press(button(team={"id": "T0OTHER", "domain": "other"}, enterprise={"id": "E1"}))
    assert isinstance(first, Press)
    assert isinstance(again, Press)
    assert isinstance(elsewhere, Press)
    assert first.id == again.id == elsewhere.id
    pressed_twice = button()
    pressed_twice["actions"][0]["action_ts"] = "2.000003"
    another = read_press(pressed_twice)
    assert isinstance(another, Press)
    assert another.id != first.id


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "block_actions"},
        {"type": "block_actions", "actions": []},
        {"type": "block_actions", "actions": [None], "user": "nina"},
        button(actions=[{"action_id": "card.approve", "value": "1"}]),
        button(actions=[{"action_id": "card.approve", "value": '{"c":"../x","v":1}'}]),
        button(actions=[{"action_id": "card.approve", "value": '{"c":"C-1","v":"1"}'}]),
        button(actions=[{"action_id": "card.approve"}]),
        button(actions=[{"action_id": 7, "value": {}}]),
        button(user=None),
        {"type": "view_submission", "user": {"id": "U1"}, "view": {"callback_id": "edit.submit"}},
        {
            "type": "view_submission",
            "user": {"id": "U1"},
            "view": {"callback_id": "x", "private_metadata": 3},
        },
        {"type": "view_submission", "view": {"private_metadata": "[" * 100_000}},
        {"type": "shortcut", "user": {"id": "U1"}},
        {"type": "event_callback", "event": "none"},
        {"command": "/heard"},
        {"type": ["list"]},
    ],
)
def test_what_is_no_press_of_ours_is_answered_and_never_raised(body: Any) -> None:
    """Another app's, an older Heard's, a stranger's: words for whoever pressed."""
    read = read_press(body)
    assert isinstance(read, NotOurs)
    assert read.words


def test_anything_at_all_in_the_place_of_anything_is_survived() -> None:
    """Every field of a click, in turn, is something else."""
    odd: list[Any] = [None, 0, -1.5, True, "", "x" * 10_000, [], [[]], {}, {"id": None}, "\ud800", 2**80]
    rng = random.Random(4)

    def broken(value: Any) -> Any:
        if rng.random() < 0.15:
            return rng.choice(odd)
        if isinstance(value, dict):
            return {key: broken(part) for key, part in value.items()}
        return [broken(part) for part in value] if isinstance(value, list) else value

    for _ in range(2_000):
        read = read_press(broken(button()))
        assert isinstance(read, NotOurs) or from_bytes(read.to_bytes())


# ── stored, then acknowledged ────────────────────────────────────────────────────────────────────


async def test_a_click_is_on_disk_before_slack_hears_yes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store writes, nothing is acknowledged."""
    nina, held = office.person("Nina", Role.APPROVER), asyncio.Event()
    message = await office.card(await office.case())
    put = office.desk.box.put

    async def slowly(*args: Any) -> bool:
        await held.wait()
        return await put(*args)

    monkeypatch.setattr(type(office.desk.box), "put", lambda _, *args: slowly(*args))
    clicking = asyncio.create_task(nina.clicks(message, "card.approve"))
    await until(lambda: len(office.slack.socket.deliveries) == 1, "the click is sent")
    await asyncio.sleep(0.1)
    assert not office.slack.socket.deliveries[0].acknowledged
    held.set()
    assert (await clicking).acknowledged
    assert await office.desk.box.waiting() == 1


async def test_without_a_store_nothing_is_acknowledged_and_the_person_is_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack says so too, or sends it again."""
    nina = office.person("Nina", Role.APPROVER)
    message = await office.card(await office.case())

    async def lost(*_: Any) -> bool:
        raise StoreConnectionError("gone")

    monkeypatch.setattr(type(office.desk.box), "put", lost)
    office.slack.socket.patience_s = 0.3
    delivery = await nina.clicks(message, "card.approve")
    assert not delivery.acknowledged
    await until(lambda: office.told(nina) != [], "an answer")
    assert "cannot reach its store" in office.told(nina)[0]


async def test_what_breaks_in_a_listener_has_a_number(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for the person and in the log."""
    nina = office.person("Nina", Role.APPROVER)
    message = await office.card(await office.case())

    async def broken(*_: Any) -> bool:
        raise RuntimeError("My bag is lost!")

    monkeypatch.setattr(type(office.desk.box), "put", broken)
    assert (await nina.clicks(message, "card.approve")).acknowledged
    await until(lambda: office.told(nina) != [], "an answer")
    said = office.told(nina)[0]
    number = said[said.index("err-") :][:10]
    logged = capsys.readouterr().out
    assert number in logged
    assert "bag" not in logged + said


async def test_two_hundred_clicks_at_once_are_all_acknowledged_in_time(office: Office) -> None:
    """On two connections, each on its own case: p99 under a second, none over three; each answered.

    Other tests share the machine: the best of three rounds counts, and no round may lose a click.
    """
    people = [office.person(f"P{n}", Role.APPROVER) for n in range(10)]
    working = asyncio.create_task(office.worker.run())
    for number in range(3):
        p99 = await _two_hundred(office, people, 200 * number)
        if p99 < 1.0:
            break
    await ended(working)
    assert p99 < 1.0


async def _two_hundred(office: Office, people: list[Person], first: int) -> float:
    """Two hundred clicks at once; returns how long the slowest hundredth waited at least, in seconds."""
    cases = [await office.case(first + n) for n in range(200)]
    messages = [await office.card(case) for case in cases]
    said, began = len(office.threads.said), time.monotonic()
    deliveries = await asyncio.gather(
        *(people[n % 10].clicks(message, "card.approve") for n, message in enumerate(messages))
    )
    latencies = sorted(one.latency_s for one in deliveries)
    await until(lambda: len(office.threads.said) == said + 200, "every click is told", within_s=20)
    log.info(
        "measured: 200 clicks at once",
        p50_s=round(latencies[100], 3),
        p99_s=round(latencies[197], 3),
        max_s=round(latencies[-1], 3),
        all_told_s=round(time.monotonic() - began, 2),
    )
    assert latencies[-1] < 3.0
    for n, case in enumerate(cases):
        now = await office.cases.load(case.id)
        assert (now.status, now.moved_by) == (Status.APPROVED, people[n % 10].name)
    return latencies[197]


async def test_when_a_connection_is_cut_under_load_no_click_is_lost_unseen(office: Office) -> None:
    """What was acknowledged is decided; of what was not, Slack tells the person (S4)."""
    people = [office.person(f"P{n}", Role.APPROVER) for n in range(5)]
    cases = [await office.case(n) for n in range(60)]
    messages = [await office.card(case) for case in cases]
    office.slack.socket.patience_s = 1.0
    clicking = [
        asyncio.create_task(people[n % 5].clicks(message, "card.approve"))
        for n, message in enumerate(messages)
    ]
    await asyncio.sleep(0.01)
    office.slack.socket.drop(office.slack.socket.connections[0])
    deliveries = await asyncio.gather(*clicking)
    await office.settle()
    lost = [one for one in deliveries if not one.acknowledged]
    for delivery, case in zip(deliveries, cases, strict=True):
        if delivery.acknowledged:
            assert (await office.cases.load(case.id)).status is Status.APPROVED
    assert sum(len(one.troubles) for one in people) == len(lost)
    assert len(lost) < 60


async def test_the_first_visible_change_comes_within_a_second(office: Office) -> None:
    """Through the real delivery, at the real pace: buttons gone, who approved it, a line (valet 51)."""

    async def drawn(case: Case) -> Payload:
        return card(case, await office.desk.look_at(case.id))

    async def no_board(_: object) -> Payload:
        return NOTHING

    async def tick() -> None:
        while True:
            office.clock.move_to(datetime.now(UTC))
            await asyncio.sleep(0.005)

    office.slack.limits.post_every_s = 1.0
    ticking = asyncio.create_task(tick())
    delivery = Delivery(
        office.web,
        office.desk.index,
        office.cases,
        SharedBudget(office.store, office.clock),
        office.clock,
        channel=CARE,
        drawing=Drawing(card=drawn, flood=lambda _: NOTHING, breach=no_board),
    )
    desk = replace(office.desk, threads=delivery)
    working = [
        ticking,
        asyncio.create_task(delivery.run()),
        asyncio.create_task(PressWorker(desk, name="desk-1", wait_ms=200).run()),
    ]
    await asyncio.sleep(0.02)
    nina, case = office.person("Nina", Role.APPROVER), await office.case()
    await desk.changed(case.id)
    await until(lambda: len(office.slack.messages(CARE)) == 1, "the card")
    (message,) = office.slack.messages(CARE)
    began = time.monotonic()
    await nina.clicks(message, "card.approve")
    await until(lambda: "approved by Nina" in json.dumps(message.blocks), "the change")
    took = time.monotonic() - began
    log.info("measured: from click to the changed card", took_s=round(took, 2))
    assert took < 1.0
    assert not [block for block in message.blocks if block["type"] == "actions"]
    await until(lambda: len(office.slack.thread(message)) == 1, "the line")
    await ended(*working)


async def test_a_link_decides_nothing(office: Office) -> None:
    """A button with an address opens the browser; Slack's telling is acknowledged (activepieces 11665)."""
    case = await office.case()
    nina = office.person("Nina", Role.APPROVER)
    await office.web.post(
        CARE,
        replace(
            card(case, office.look()),
            blocks=(
                {
                    "type": "actions",
                    "block_id": "a",
                    "elements": [
                        {
                            "type": "button",
                            "action_id": "link.post",
                            "url": "https://x.com",
                            "value": "1",
                            "text": {"type": "plain_text", "text": "Open"},
                        }
                    ],
                },
            ),
        ),
    )
    assert (await nina.clicks(office.slack.messages(CARE)[-1], "link.post")).acknowledged
    assert await office.desk.box.waiting() == 0
    decides = [e for b in card(case, office.look()).blocks for e in _elements(b) if "url" not in e]
    assert decides
    assert all("value" in e or "options" in e for e in decides)


def _elements(block: dict[str, Any]) -> list[dict[str, Any]]:
    return block["elements"] if block["type"] == "actions" else []


@pytest.mark.parametrize("action", ["card.nonsense", "somebody.elses", "breach.help"])
async def test_a_button_that_nobody_knows_is_answered(office: Office, action: str) -> None:
    """Of an older Heard, or of what was taken out."""
    nina, case = office.person("Nina", Role.MANAGER), await office.case()
    message = await office.card(case)
    element = message.blocks[-2]["elements"][0]
    element["action_id"] = action
    element.pop("confirm", None)
    assert (await nina.clicks(message, action)).acknowledged
    await office.settle()
    assert len(office.told(nina)) == 1


async def test_opening_home_fills_it(office: Office) -> None:
    """The queue for who may look; before the first case, and for everybody else, what this is."""
    nina, otto = office.person("Nina", Role.APPROVER), office.person("Otto")
    await nina.opens_home()
    await until(lambda: nina.sees().home is not None, "first day")
    assert "Welcome" in json.dumps(nina.sees().home.blocks)  # type: ignore[union-attr]
    await office.case()
    await nina.opens_home()
    await until(lambda: "Take the next one" in json.dumps(nina.sees().home.blocks), "the queue")  # type: ignore[union-attr]
    await otto.opens_home()
    await until(lambda: otto.sees().home is not None, "something for everybody")
    assert "Maya" not in json.dumps(otto.sees().home.blocks)  # type: ignore[union-attr]


# ── dialogs ──────────────────────────────────────────────────────────────────────────────────────


async def test_every_dialog_opens_while_its_trigger_lives(office: Office) -> None:
    """Edit, reject and the rest, from the card; each is one that Slack shows."""
    mona, case = office.person("Mona", Role.MANAGER), await office.case()
    message = await office.card(case)
    for action, choose, title in (
        ("card.reject", None, "Reject the draft"),
        ("card.snooze", "Until…", "Snooze"),
        ("card.more", "Wrong label…", "Wrong label"),
        ("card.more", "Escalate to manager", "Escalate"),
        ("card.more", "Why this card?", "Why this card?"),
        ("card.edit", None, "Edit reply"),
    ):
        assert (await mona.clicks(message, action, choose=choose)).acknowledged
        assert modal_of(mona).title == title
    assert await office.desk.box.waiting() == 0


@pytest.mark.parametrize("action", sorted(OPENS))
async def test_who_may_not_is_told_before_typing(office: Office, action: str) -> None:
    """No dialog opens for somebody without a role."""
    otto, case = office.person("Otto"), await office.case()
    office.person("Mona", Role.MANAGER)
    message = await office.card(case)
    element = message.blocks[-2]["elements"][0]
    element["action_id"], element["value"] = action, json.dumps({"c": case.id, "v": case.version})
    message.blocks[-2]["elements"] = [element]
    assert (await otto.clicks(message, action)).acknowledged
    assert otto.modal is None
    (said,) = office.told(otto)
    assert "U0MONA" in said


async def test_while_somebody_edits_nobody_else_can(office: Office) -> None:
    """The card says who; another's Edit of before is answered; leaving ends it."""
    nina, ola = office.person("Nina", Role.APPROVER), office.person("Ola", Role.APPROVER)
    case = await office.case()
    message = await office.card(case)
    seen = message.seen()
    await nina.clicks(message, "card.edit")
    await office.draw()
    assert "Nina is editing" in json.dumps(message.blocks)
    await ola.clicks(seen, "card.edit")
    assert ola.modal is None
    assert "Nina is editing since" in office.told(ola)[0]
    delivery = await nina.closes(modal_of(nina))
    assert delivery is not None
    await office.settle()
    assert "editing" not in json.dumps(message.blocks)
    await ola.clicks(message, "card.edit")
    assert modal_of(ola).title == "Edit reply"


async def test_taking_over_ends_the_others_editing_and_keeps_their_words(office: Office) -> None:
    """Who typed for nothing is told by whom, and their text is still there."""
    nina, ola = office.person("Nina", Role.APPROVER), office.person("Ola", Role.APPROVER)
    case = await office.case()
    message = await office.card(case)
    await nina.clicks(message, "card.edit")
    await office.draw()
    await ola.clicks(message, "card.take")
    await office.settle()
    assert "editing" not in json.dumps(message.blocks)
    view = modal_of(nina)
    await nina.submits(view, {"reply": "My own good words."})
    await office.settle()
    assert "Ola already took this" in json.dumps(view.body)
    assert "My own good words." in json.dumps(view.body)
    assert (await office.cases.load(case.id)).status is Status.DRAFTED


async def test_an_edit_that_may_not_go_out_stays_in_its_dialog(office: Office) -> None:
    """Said beside the text, which is still there; nothing is stored."""
    nina, case = office.person("Nina", Role.APPROVER), await office.case()
    office.objections = lambda _case, text: [Hard("It names a person.")] if "Lars" in text else []
    message = await office.card(case)
    await nina.clicks(message, "card.edit")
    view = modal_of(nina)
    await nina.submits(view, {"reply": "Ask Lars."})
    assert view.errors == {"reply": "It names a person."}
    assert await office.desk.box.waiting() == 0
    await nina.submits(view, {"reply": "x" * 300})
    assert "20 too long for X" in view.errors["reply"]
    await nina.submits(view, {"reply": "Hi Maya!"})
    assert view.title == "One moment"
    await office.settle()
    assert view.title == "Done"
    now = await office.cases.load(case.id)
    assert now.outgoing is not None
    assert (now.outgoing.text, now.outgoing.decided_by) == ("Hi Maya!", "Nina")


async def test_a_snooze_into_the_past_stays_in_its_dialog(office: Office) -> None:
    """Beside the time."""
    nina, case = office.person("Nina", Role.APPROVER), await office.case()
    await nina.clicks(await office.card(case), "card.snooze", choose="Until…")
    view = modal_of(nina)
    await nina.submits(view, {"until": int(office.clock.now().timestamp()) - 60})
    assert "past" in view.errors["until"]


async def test_a_dialog_about_a_case_that_is_gone_does_not_open(office: Office) -> None:
    """The store was set up anew."""
    nina, case = office.person("Nina", Role.APPROVER), await office.case()
    message = await office.card(case)
    await office.store.writes.flushall()
    await nina.clicks(message, "card.edit")
    assert nina.modal is None
    assert office.told(nina) == [GONE]


async def test_a_trigger_that_came_too_late_is_said(office: Office) -> None:
    """And nobody holds the lease of a dialog that never opened."""
    nina, case = office.person("Nina", Role.APPROVER), await office.case()
    message = await office.card(case)
    check, office.objections = office.slack, lambda _case, _text: office.slack.passes(4) or ()  # type: ignore[func-returns-value]
    await nina.clicks(message, "card.edit")
    assert check is office.slack
    assert "3 seconds" in office.told(nina)[0]
    assert await office.desk.locks.holder(case.id) is None


async def test_a_case_opens_from_home_and_by_command(office: Office) -> None:
    """Its card, in a dialog, with buttons that work there."""
    nina, case = office.person("Nina", Role.APPROVER), await office.case()
    await office.card(case)
    await nina.opens_home()
    await until(lambda: nina.sees().home is not None, "the queue")
    home = nina.sees().home
    assert home is not None
    await nina.clicks(home, "home.open")
    assert modal_of(nina).title == case.id
    await nina.runs("/heard", f"case {case.id.lower()}")
    await nina.clicks(modal_of(nina), "card.take")
    await office.settle()
    assert (await office.cases.load(case.id)).owner == "Nina"
    assert "Done." in office.told(nina)[-1]


async def test_the_practice_case_touches_no_case(office: Office) -> None:
    """Whoever tries it, it says what a real one would have done."""
    otto = office.person("Otto")
    await otto.opens_home()
    await until(lambda: otto.sees().home is not None, "first day")
    home = otto.sees().home
    assert home is not None
    await otto.clicks(home, "practice.show")
    await otto.clicks(modal_of(otto), "practice.approve")
    await office.settle()
    assert "Practice" in office.told(otto)[0]
    assert sum((await office.cases.counts()).values()) == 0


# ── signed HTTP ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def http(office: Office) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """The same desk, reached over HTTP."""
    app = build_app(office.desk, token=BOT_TOKEN, api_url=office.slack.url, signing_secret=SIGNING_SECRET)
    served = web.Application()
    signed_http = SignedHttp(app, SIGNING_SECRET, SeenRequests(office.store), now=office.slack.now)
    served.router.add_post(PATH, signed_http.handle)
    async with TestClient(TestServer(served)) as client:
        yield client
    if app.client.session is not None:
        await app.client.session.close()


async def click_over_http(office: Office) -> tuple[dict[str, str], bytes]:
    """A click as Slack would send it over HTTP, not yet stored."""
    nina = office.person("Nina", Role.APPROVER)
    message = await office.card(await office.case())
    connections, office.slack.socket.connections = office.slack.socket.connections, []
    delivery = await nina.clicks(message, "card.approve")
    office.slack.socket.connections = connections
    return over_http(delivery, office.slack.now())


async def test_a_signed_click_is_taken_once(office: Office, http: TestClient[Any, Any]) -> None:
    """The same bytes again, within the five minutes, are refused in words (S5)."""
    headers, body = await click_over_http(office)
    first = await http.post(PATH, data=body, headers=headers)
    again = await http.post(PATH, data=body, headers=headers)
    assert (first.status, again.status) == (200, 401)
    assert "was here before" in (await again.json())["error"]
    assert await office.desk.box.waiting() == 1


async def test_forged_requests_are_refused(office: Office, http: TestClient[Any, Any]) -> None:
    """Another secret, another body, another time, none at all, junk: nothing is stored, and each is told."""
    headers, body = await click_over_http(office)
    now = int(headers["X-Slack-Request-Timestamp"])
    forgeries: list[tuple[bytes, dict[str, str]]] = [
        (body, headers | signed(body, now, "another secret")),
        (body + b" ", headers),
        (body, headers | {"X-Slack-Request-Timestamp": str(now - 1)}),
        (body, headers | {"X-Slack-Signature": "v0=" + "0" * 64}),
        (body, headers | {"X-Slack-Signature": ""}),
        (body, headers | {"X-Slack-Request-Timestamp": "١٢٣"}),
        (body, headers | {"X-Slack-Request-Timestamp": "soon"}),
        (body, {"Content-Type": headers["Content-Type"]}),
    ]
    for raw, forged in forgeries:
        answer = await http.post(PATH, data=raw, headers=forged)
        assert answer.status == 401
        assert (await answer.json())["error"]
    junk = await http.post(PATH, data=b"\xff\xfe", headers=headers)
    assert junk.status == 400
    assert await office.desk.box.waiting() == 0


@pytest.mark.parametrize(("apart_s", "side"), [(360, "old"), (-360, "ahead")])
async def test_a_clock_that_is_six_minutes_off_is_named(
    office: Office, http: TestClient[Any, Any], apart_s: int, side: str
) -> None:
    """Not "invalid request": the clock is what is wrong."""
    _, body = await click_over_http(office)
    stamp = office.slack.now() - apart_s
    answer = await http.post(PATH, data=body, headers=signed(body, stamp))
    said = (await answer.json())["error"]
    assert answer.status == 401
    assert f"6 min {side}" in said
    assert "NTP" in said


async def test_what_the_store_could_not_take_may_come_again(
    office: Office, http: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal for want of the store is no replay when it is repeated."""
    headers, body = await click_over_http(office)
    put = type(office.desk.box).put

    async def lost(*_: Any) -> bool:
        raise StoreConnectionError("gone")

    monkeypatch.setattr(type(office.desk.box), "put", lost)
    assert (await http.post(PATH, data=body, headers=headers)).status == 503
    monkeypatch.setattr(type(office.desk.box), "put", put)
    assert (await http.post(PATH, data=body, headers=headers)).status == 200
    assert await office.desk.box.waiting() == 1
