"""What becomes of presses: one decision each, whoever presses and whatever dies, and everybody is told."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any

import pytest
from redis.exceptions import ConnectionError as StoreConnectionError

from casework import moves
from casework.case import Case, Move, Status
from casework.classification import Intent, Sentiment, Urgency
from casework.clock import ManualClock
from casework.decisions import Action, Ask, Labels, decide
from casework.errors import TryAgainLater
from casework.spikes import Spike
from escalation import boards
from escalation.press_plans import MOVE_OF, needed, plan_of
from escalation.press_worker import TRIES, PressWorker
from escalation.presses import Press
from escalation.roles import ASSIGN, NEEDED, Role
from escalation.slack_desk import SlackDesk
from streams.connection import Store
from streams.locks import EditLocks, lease
from streams.presses import PressBox
from streams.switch import AutomaticPause
from tests.fakes.cases import a_mention
from tests.fakes.slack_office import CARE, Office, ended
from tests.fakes.slack_people import Person
from tests.fakes.slack_server import open_slack
from tests.fakes.slack_things import Message
from tests.fakes.slack_wire import broken, ratelimited, refused
from tests.fakes.waiting import until


@pytest.fixture
async def office(store: Store, clock: ManualClock) -> AsyncIterator[Office]:
    """An office where presses come straight into the box."""
    async with open_slack(seed=5) as slack:
        slack.limits.post_every_s = None
        slack.limits.per_minute.clear()
        made = Office(slack, store, clock, {})
        yield made
        await made.web.close()


@pytest.fixture
def nina(office: Office) -> Person:
    """An approver."""
    return office.person("Nina", Role.APPROVER)


@pytest.fixture
def ola(office: Office) -> Person:
    """Another."""
    return office.person("Ola", Role.APPROVER)


def buttons(message: Message) -> list[str]:
    """The buttons of a card."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return [element["action_id"] for row in rows for element in row]


def lines(office: Office, message: Message) -> list[str]:
    """What the card's thread says."""
    return [reply.text for reply in office.slack.thread(message)]


# ── two people, twice, again ─────────────────────────────────────────────────────────────────────


async def test_an_approval_is_one_decision_and_the_card_names_the_person(
    office: Office, nina: Person
) -> None:
    """The buttons go, the thread says who, the sender gets one reply (valet 51)."""
    case = await office.case()
    message = await office.card(case)
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert buttons(message) == []
    assert "approved by Nina" in message.blocks[0]["text"]["text"]
    assert lines(office, message) == [f"Nina approved this. Case {case.id}."]
    assert await office.handed_over(case) == 1
    assert office.told(nina) == []


async def test_later_drawings_still_name_the_person(office: Office, nina: Person) -> None:
    """A second update must not write over it (openclaw 48567)."""
    case = await office.case()
    message = await office.card(case)
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    now = await office.cases.load(case.id)
    sending = await office.cases.save(
        moves.begin_sending(now, at=office.clock.now(), look_at=office.clock.now() + timedelta(minutes=1))
    )
    await office.cases.save(
        moves.sent(
            sending,
            reply_id="r1",
            posted_at=office.clock.now(),
            at=office.clock.now(),
            promises=office.circumstances().promises,
        )
    )
    await office.card(case)
    assert "by Nina" in message.blocks[0]["text"]["text"]
    assert all("Nina" in version.blocks[0]["text"]["text"] for version in message.versions[1:])


async def test_two_people_press_approve_and_the_second_is_told_who_was_faster(
    office: Office, nina: Person, ola: Person
) -> None:
    """In words, with how long ago."""
    case = await office.case()
    message = await office.card(case)
    seen = message.seen()
    await office.presses(nina.clicks(seen, "card.approve"))
    await office.settle()
    office.passes(20)
    await office.presses(ola.clicks(seen, "card.approve"))
    await office.settle()
    assert office.told(ola) == ["Nina already approved this 20 seconds ago, so your click did nothing."]
    assert office.told(nina) == []
    assert await office.moved(case, Move.APPROVE) == await office.handed_over(case) == 1


async def test_whoever_presses_twice_decides_once(office: Office, nina: Person) -> None:
    """And reads that they did already."""
    case = await office.case()
    seen = (await office.card(case)).seen()
    await office.presses(nina.clicks(seen, "card.approve"))
    await office.presses(nina.clicks(seen, "card.approve"))
    await office.settle()
    assert office.told(nina) == ["You already approved this just now, so your click did nothing."]
    assert await office.moved(case, Move.APPROVE) == await office.handed_over(case) == 1


async def test_what_slack_sends_four_times_is_one_press(office: Office, nina: Person) -> None:
    """At once, after a minute, after five: also when it was carried out between."""
    case = await office.case()
    message = await office.card(case)
    delivery = await nina.clicks(message, "card.approve")
    for _ in range(4):
        again = office.slack.socket.deliver_again(delivery)
        await office.presses(again)
        await office.settle()
    assert await office.moved(case, Move.APPROVE) == await office.handed_over(case) == 1
    assert office.told(nina) == []


async def test_after_somebody_sent_it_the_sender_is_not_named_but_the_person(
    office: Office, nina: Person, ola: Person
) -> None:
    """That Heard already began sending would help nobody."""
    case = await office.case()
    seen = (await office.card(case)).seen()
    await office.presses(nina.clicks(seen, "card.approve"))
    await office.settle()
    now, at = await office.cases.load(case.id), office.clock.now()
    await office.cases.save(moves.begin_sending(now, at=at, look_at=at + timedelta(minutes=1)))
    await office.presses(ola.clicks(seen, "card.reject"))
    await office.presses(ola.clicks(seen, "card.take"))
    await office.settle()
    assert "Nina already approved this" in office.told(ola)[-1]


async def test_a_stale_click_freshens_the_card_and_is_answered(
    office: Office, nina: Person, ola: Person
) -> None:
    """Silence would leave both the card and the person wrong (vellum 20170)."""
    case = await office.case()
    message = await office.card(case)
    seen = message.seen()
    await office.presses(nina.clicks(seen, "card.take"))
    while await office.worker.step():
        pass
    # The card was not drawn yet: it still looks as if nobody had it.
    await office.presses(ola.clicks(message, "card.approve"))
    await office.settle()
    assert "Nina already took this" in office.told(ola)[0]
    assert "Nina has it" in str(message.blocks[-1])


async def test_what_was_decided_at_the_desk_is_told_to_who_presses_in_slack(
    office: Office, nina: Person
) -> None:
    """The buttons were live for a moment longer (clawpatrol 595)."""
    case = await office.case()
    message = await office.card(case)
    ask = Ask(version=case.version, by="Dora", draft_sha256=case.draft.sha256 if case.draft else "")
    await office.cases.move(case.id, lambda now: decide(now, Action.APPROVE, ask, office.circumstances()))
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert office.told(nina) == ["Dora already approved this just now, so your click did nothing."]
    assert buttons(message) == []
    assert await office.handed_over(case) == 1


async def test_five_cards_in_any_order_each_resolve_themselves(office: Office, nina: Person) -> None:
    """Approving the second must not touch the first (eve 2471)."""
    cases = [await office.case(number) for number in range(5)]
    messages = {case.id: await office.card(case) for case in cases}
    rng = random.Random(9)
    for case in rng.sample(cases, 5):
        action = "card.approve" if case is not cases[0] else "card.take"
        await office.presses(nina.clicks(messages[case.id], action))
        await office.settle()
        left = [c for c in cases if (await office.cases.load(c.id)).version == c.version]
        assert case not in left
    assert (await office.cases.load(cases[0].id)).status is Status.DRAFTED
    assert all([(await office.cases.load(c.id)).status is Status.APPROVED for c in cases[1:]])


async def test_the_first_click_after_a_restart_works(office: Office, nina: Person) -> None:
    """Nothing is remembered in the process (hermes 100408)."""
    case = await office.case()
    message = await office.card(case)
    fresh = Office(office.slack, office.store, office.clock, office.roles, cards=office.cards)
    await fresh.presses(nina.clicks(message, "card.approve"))
    await fresh.settle()
    assert (await fresh.cases.load(case.id)).status is Status.APPROVED
    await fresh.web.close()


async def test_an_approval_covers_the_text_that_was_read_and_no_other(office: Office, nina: Person) -> None:
    """The draft changed meanwhile: the click does nothing and says so."""
    case = await office.case()
    message = await office.card(case)
    ask = Ask(version=case.version, by="Dora", text="Hi Maya, another text.")
    await office.cases.move(case.id, lambda now: decide(now, Action.EDIT, ask, office.circumstances()))
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert "Dora already edited the draft" in office.told(nina)[0]
    assert "The draft changed while you were reading." in office.told(nina)[0]
    assert await office.moved(case, Move.APPROVE) == 0


@pytest.mark.parametrize("draft", ["", "0" * 16])
async def test_a_button_bound_to_another_text_approves_nothing(
    office: Office, nina: Person, draft: str
) -> None:
    """Even at the right version: forged, or of a store that was set up anew."""
    case = await office.case()
    message = await office.card(case)
    press = await office.presses(nina.clicks(message, "card.take"))
    (stored,) = await office.desk.box.take("x", wait_ms=1)
    await office.desk.box.settle(stored.entry)
    forged = replace(press, id="f" * 32, action="card.approve", draft=draft)
    await office.desk.box.put(forged.id, forged.to_bytes())
    await office.settle()
    assert "The draft changed while you were reading." in office.told(nina)[0]
    assert await office.moved(case, Move.APPROVE) == 0


async def test_the_clocks_own_looking_makes_no_click_stale(office: Office, nina: Person) -> None:
    """A promise came into danger while somebody read."""
    case = await office.case()
    message = await office.card(case)
    office.passes(35 * 60)
    woken = moves.wake(case, at=office.clock.now())
    assert woken is not None
    await office.cases.save(woken)
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert (await office.cases.load(case.id)).status is Status.APPROVED


async def test_when_the_customer_writes_again_the_approval_is_off(office: Office, nina: Person) -> None:
    """Said as what happened, not as somebody's being faster."""
    case = await office.case()
    message = await office.card(case)
    again = a_mention(900, author=case.author, created_at=office.clock.now())
    joined = moves.join(case, again, at=office.clock.now(), promises=office.circumstances().promises)
    await office.cases.save(joined)
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert office.told(nina) == [
        "The customer wrote again just now, so your click did nothing. Read it again."
    ]


# ── whatever dies ────────────────────────────────────────────────────────────────────────────────


class Died(BaseException):
    """The process is gone."""


@dataclass
class Life:
    """So many more calls, then death; each is before or after what the call does."""

    left: int

    def goes_on(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Died


class Mortal:
    """Something whose calls may each be the last."""

    def __init__(self, whole: Any, life: Life) -> None:
        self._whole = whole
        self._life = life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._whole, name)
        if not iscoroutinefunction(found):
            return found

        async def call(*args: Any, **named: Any) -> Any:
            self._life.goes_on()
            result = await found(*args, **named)
            self._life.goes_on()
            return result

        return call


def mortal(desk: SlackDesk, life: Life) -> SlackDesk:
    """A desk of which every step may be the last."""
    parts: Any = {
        name: Mortal(getattr(desk, name), life)
        for name in ("cases", "box", "locks", "names", "index", "web", "threads")
    }
    return replace(desk, **parts)


async def die_everywhere(
    office: Office, begin: Callable[[int], Any], check: Callable[[Any], Any], *, at_least: int
) -> None:
    """Begin anew for each step at which the worker can die, restart it, and check what became of it."""
    for steps in range(500):
        begun = await begin(steps)
        life = Life(steps)
        try:
            worker = PressWorker(mortal(office.desk, life), name="desk-1", wait_ms=1, view_after_s=0.0)
            while await worker.step():
                pass
        except Died:
            pass
        survived = life.left >= 0
        await office.settle()
        assert await office.desk.box.waiting() == 0
        await check(begun)
        if survived:
            assert steps >= at_least
            return
    raise AssertionError("it never came to an end")


async def test_an_approval_survives_death_at_every_step(office: Office, nina: Person, ola: Person) -> None:
    """Two people pressed: one decision, one reply for the sender, one line, both told."""

    async def begin(number: int) -> tuple[Case, Message]:
        office.slack.ephemerals.clear()
        case = await office.case(number)
        message = await office.card(case)
        seen = message.seen()
        await office.presses(nina.clicks(seen, "card.approve"))
        await office.presses(ola.clicks(seen, "card.approve"))
        return case, message

    async def check(begun: tuple[Case, Message]) -> None:
        case, message = begun
        assert await office.moved(case, Move.APPROVE) == await office.handed_over(case) == 1
        now = await office.cases.load(case.id)
        winner, loser = (nina, ola) if now.moved_by == "Nina" else (ola, nina)
        assert lines(office, message) == [f"{winner.name} approved this. Case {case.id}."]
        assert buttons(message) == []
        assert office.told(winner) == []
        assert {f"{winner.name} already approved this just now, so your click did nothing."} == set(
            office.told(loser)
        )

    await die_everywhere(office, begin, check, at_least=30)


async def test_an_edited_reply_survives_death_at_every_step(office: Office, nina: Person) -> None:
    """Saved once and approved once, whatever came between the two."""

    async def begin(number: int) -> tuple[Case, Message]:
        case = await office.case(number)
        message = await office.card(case)
        press = await office.presses(nina.clicks(message, "card.take"))
        (stored,) = await office.desk.box.take("x", wait_ms=1)
        await office.desk.box.settle(stored.entry)
        edited = replace(press, id=f"{number:032}", kind="view", action="edit.submit", text="My own words.")
        await office.desk.box.put(edited.id, edited.to_bytes())
        return case, message

    async def check(begun: tuple[Case, Message]) -> None:
        case, message = begun
        now = await office.cases.load(case.id)
        assert now.outgoing is not None
        assert now.outgoing.text == "My own words."
        assert [await office.moved(case, move) for move in (Move.EDIT, Move.APPROVE)] == [1, 1]
        assert await office.handed_over(case) == 1
        assert lines(office, message) == [
            f"Nina edited the draft. Case {case.id}.",
            f"Nina approved this. Case {case.id}.",
        ]

    await die_everywhere(office, begin, check, at_least=25)


async def test_taking_the_next_one_survives_death_at_every_step(office: Office, nina: Person) -> None:
    """Two wait; whatever dies, one is taken."""

    async def begin(number: int) -> list[Case]:
        await office.store.writes.flushall()
        office.cards.clear()
        cases = [await office.case(2 * number), await office.case(2 * number + 1)]
        await office.presses(nina.takes_shortcut("next_case"))
        return cases

    async def check(cases: list[Case]) -> None:
        owners = [(await office.cases.load(case.id)).owner for case in cases]
        assert sorted(map(str, owners)) == ["Nina", "None"]
        assert sum([await office.moved(case, Move.TAKE) for case in cases]) == 1

    await die_everywhere(office, begin, check, at_least=20)


async def test_what_a_dead_worker_had_begun_its_next_life_does_at_once(office: Office, nina: Person) -> None:
    """Under its own name it need not wait until the press counts as left behind."""
    case = await office.case()
    message = await office.card(case)
    patient = replace(office.desk, box=PressBox(office.store))
    await office.presses(nina.clicks(message, "card.approve"))
    with pytest.raises(Died):
        await PressWorker(mortal(patient, Life(4)), name="desk-1", wait_ms=1, view_after_s=0.0).step()
    running = asyncio.create_task(PressWorker(patient, name="desk-1", wait_ms=1, view_after_s=0.0).run())
    await until(lambda: len(lines(office, message)) == 1, "it is carried out", within_s=5)
    await ended(running)
    assert await office.moved(case, Move.APPROVE) == 1


async def test_a_note_survives_death_at_every_step(office: Office, nina: Person) -> None:
    """It is bound to no version, and is there once."""

    async def begin(number: int) -> Case:
        case = await office.case(number)
        note = Press(
            f"{number:032}",
            "view",
            "note.submit",
            nina.id,
            office.clock.now(),
            case=case.id,
            version=1,
            text="Ring her.",
        )
        await office.desk.box.put(note.id, note.to_bytes())
        return case

    async def check(case: Case) -> None:
        assert await office.moved(case, Move.NOTE) == 1

    await die_everywhere(office, begin, check, at_least=10)


# ── who may ──────────────────────────────────────────────────────────────────────────────────────

DECIDES = (
    "card.approve",
    "card.take",
    "card.snooze.one-hour",
    "card.more.redraft",
    "card.more.irrelevant",
    "edit.submit",
    "reject.submit",
    "assign.submit",
    "snooze.submit",
    "relabel.submit",
    "posted.submit",
    "close.submit",
    "note.submit",
    "escalate.submit",
    "breach.row.take",
)


def a_press(office: Office, by: Person, case: Case, action: str) -> Press:
    """A press with everything that any action needs."""
    return Press(
        id=f"{by.id}-{action}-{case.id}",
        kind="button",
        action=action,
        by=by.id,
        pressed_at=office.clock.now(),
        team=by.team,
        channel=CARE,
        ts=office.cards.get(case.id, ""),
        case=case.id,
        version=case.version,
        draft=case.draft.sha256[:16] if case.draft else "",
        text="Words of our own.",
        reason="facts",
        until=office.clock.now() + timedelta(hours=3),
        to=by.id if action == "assign.submit" else "managers",
        labels=Labels(Sentiment.NEGATIVE, Intent.COMPLAINT, Urgency.HIGH),
    )


async def put(office: Office, press: Press) -> None:
    """Into the box, and carried out."""
    await office.desk.box.put(press.id, press.to_bytes())
    await office.settle()


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("action", DECIDES)
async def test_every_action_asks_for_its_role(office: Office, action: str, role: Role) -> None:
    """The press decides by role, not by who is in the channel (openab 1272); a refusal says whom to ask."""
    office.person("Mona", Role.MANAGER)
    somebody, case = office.person("Somebody", role), await office.case()
    await office.card(case)
    press = a_press(office, somebody, case, action)
    await put(office, press)
    now = await office.cases.load(case.id)
    first = plan_of(press)[0]
    if role >= NEEDED[needed(press, first)]:
        assert await office.moved(case, MOVE_OF[first]) == 1, office.told(somebody)
    else:
        assert now == case
        (said,) = office.told(somebody)
        assert NEEDED[needed(press, first)].key in said
        assert "<@U0MONA>" in said


async def test_a_responders_edit_waits_for_an_approver(office: Office, nina: Person) -> None:
    """Saved, not sent; both are told what is next."""
    rita, case = office.person("Rita", Role.RESPONDER), await office.case()
    message = await office.card(case)
    await put(office, a_press(office, rita, case, "edit.submit"))
    now = await office.cases.load(case.id)
    assert (now.status, now.draft.text if now.draft else "") == (Status.DRAFTED, "Words of our own.")
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert (await office.cases.load(case.id)).status is Status.APPROVED


async def test_where_two_must_approve_the_first_is_one_of_two(
    office: Office, nina: Person, ola: Person
) -> None:
    """Nobody counts twice, also not under a new name; who wrote it counts not at all (T5)."""
    office.approvals = 2
    case = await office.case()
    message = await office.card(case)
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert "1 of 2" in str(message.blocks)
    nina.name = "Somebody Else"
    office.web._people.forget()
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert (await office.cases.load(case.id)).status is Status.DRAFTED
    await office.presses(ola.clicks(message, "card.approve"))
    await office.settle()
    now = await office.cases.load(case.id)
    assert (now.status, now.moved_by) == (Status.APPROVED, "Ola")
    assert await office.handed_over(case) == 1


async def test_where_two_must_approve_an_own_edit_is_saved(office: Office, nina: Person) -> None:
    """And waits for the other two."""
    office.approvals = 2
    case = await office.case()
    await office.card(case)
    await put(office, a_press(office, nina, case, "edit.submit"))
    now = await office.cases.load(case.id)
    assert (now.status, now.draft.written_by if now.draft else "") == (Status.DRAFTED, "Nina")


@pytest.mark.parametrize("kind", ["guest", "bot", "gone", "stranger"])
async def test_guests_bots_and_strangers_decide_nothing(office: Office, kind: str) -> None:
    """Whatever the file says; they are answered."""
    somebody, case = office.person("Somebody", Role.MANAGER, **{kind: True}), await office.case()
    await office.card(case)
    await put(office, a_press(office, somebody, case, "card.approve"))
    assert (await office.cases.load(case.id)) == case
    assert len(office.told(somebody)) == 1


async def test_two_people_of_one_name_are_two(office: Office) -> None:
    """And neither has the bot's name, or one that cannot be printed."""
    first, second = office.person("Nina", Role.APPROVER), office.slack.person("nina x")
    second.name = "NINA"
    heard = office.slack.person("Robot")
    heard.name = "Heard"
    names = [await office.desk.name(await office.web.person(p.id)) for p in (first, second, heard)]
    assert names == ["Nina", f"NINA ({second.id})", heard.id]


# ── the other presses ────────────────────────────────────────────────────────────────────────────


async def test_a_case_of_a_store_that_was_set_up_anew_is_answered(office: Office, nina: Person) -> None:
    """The card is still there, its case is not."""
    case = await office.case()
    message = await office.card(case)
    await office.store.writes.flushall()
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert office.told(nina) == ["This card belongs to a case that is not here any more."]


async def test_somebody_of_whom_slack_says_nothing_is_answered(office: Office, nina: Person) -> None:
    """No name, no role: nothing is done."""
    case = await office.case()
    message = await office.card(case)
    await office.presses(nina.clicks(message, "card.approve"))
    office.slack.always("users.info", refused("user_not_found"))
    await office.settle()
    assert "does not say who you are" in office.told(nina)[0]
    assert await office.moved(case, Move.APPROVE) == 0


async def test_what_the_case_does_not_allow_is_said(office: Office, nina: Person) -> None:
    """In the words that the desk has for it."""
    case = await office.case()
    await office.card(case)
    await put(office, a_press(office, nina, case, "card.reopen"))
    assert office.told(nina) == ["This case is drafted, so it cannot be reopened."]


async def test_a_snooze_ends_when_somebody_says_so(office: Office, nina: Person) -> None:
    """In their name, and once."""
    case = await office.case()
    message = await office.card(case)
    await office.presses(nina.clicks(message, "card.snooze", choose="30 minutes"))
    await office.settle()
    resting = await office.cases.load(case.id)
    assert resting.snoozed_until == office.clock.now() + timedelta(minutes=30)
    await office.presses(nina.clicks(message, "card.wake"))
    await office.settle()
    now = await office.cases.load(case.id)
    assert (now.status, now.moved_by) == (Status.DRAFTED, "Nina")


async def test_a_reply_that_failed_is_tried_again(office: Office, nina: Person) -> None:
    """The same text, approved anew."""
    case = await office.case()
    await office.card(case)
    at = office.clock.now()
    await put(office, a_press(office, nina, case, "card.approve"))
    approved = await office.cases.load(case.id)
    sending = await office.cases.save(moves.begin_sending(approved, at=at, look_at=at + timedelta(minutes=1)))
    await office.cases.save(moves.refuse(sending, at=at, why="X is down"))
    message = await office.card(case)
    await office.presses(nina.clicks(message, "card.retry"))
    await office.settle()
    assert (await office.cases.load(case.id)).status is Status.APPROVED


async def test_a_case_is_given_to_somebody_who_may_take_it(office: Office, nina: Person) -> None:
    """Under the name that they decide with; not to a guest."""
    mona, case = office.person("Mona", Role.MANAGER), await office.case()
    visitor = office.person("Visitor", Role.RESPONDER, guest=True)
    await office.card(case)
    press = a_press(office, mona, case, "assign.submit")
    await put(office, replace(press, to=visitor.id))
    assert "Visitor cannot be given a case" in office.told(mona)[0]
    await put(office, replace(press, id="again", to=nina.id))
    assert (await office.cases.load(case.id)).owner == "Nina"
    assert needed(press, Action.TAKE) == ASSIGN


async def test_rejecting_may_close_or_ask_for_another(office: Office, nina: Person) -> None:
    """As it was chosen in the dialog."""
    closing, redrafting = await office.case(1), await office.case(2)
    await put(office, replace(a_press(office, nina, closing, "reject.submit"), then="close"))
    await put(office, replace(a_press(office, nina, redrafting, "reject.submit"), then="redraft"))
    assert (await office.cases.load(closing.id)).status is Status.CLOSED
    now = await office.cases.load(redrafting.id)
    assert (now.status, now.rejections) == (Status.CLASSIFIED, ("facts",))


async def test_the_next_case_is_the_most_urgent_that_nobody_has(office: Office, nina: Person) -> None:
    """From the shortcut, from Home and by command."""
    first = await office.case(1)
    office.passes(60)
    second = await office.case(2)
    office.passes(60)
    third = await office.case(3)
    await office.presses(nina.takes_shortcut("next_case"))
    await office.settle()
    await office.presses(nina.runs("/heard", "take"))
    await office.settle()
    assert [(await office.cases.load(c.id)).owner for c in (first, second, third)] == ["Nina", "Nina", None]
    await office.presses(nina.runs("/heard", f"take {third.id}"))
    await office.settle()
    assert (await office.cases.load(third.id)).owner == "Nina"
    await office.presses(nina.takes_shortcut("next_case"))
    await office.settle()
    assert office.told(nina)[-1] == "Every case that waits has an owner."


async def test_alarms_are_acknowledged_together_by_a_manager(office: Office, nina: Person) -> None:
    """Those that the board names and that still ring; whoever may not is told; again it changes nothing."""
    mona = office.person("Mona", Role.MANAGER)
    cases = [await office.case(1), await office.case(2)]
    office.passes(61 * 60)
    for case in cases:
        woken = moves.wake(case, at=office.clock.now())
        assert woken is not None
        await office.cases.save(woken)
    names = json.dumps({"cs": [case.id for case in cases] + ["C-999999"]})
    for person, number in ((nina, "1"), (mona, "2"), (mona, "3")):
        press = replace(a_press(office, person, cases[0], "breach.ack"), id=number, case="", text=names)
        await put(office, press)
    assert [await office.moved(case, Move.HUSH) for case in cases] == [1, 1]
    assert [(await office.cases.load(case.id)).moved_by for case in cases] == ["Mona", "Mona"]
    assert "manager" in office.told(nina)[0]
    assert all("Acknowledged" in said for said in office.told(mona))


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "/heard queue"),
        ("help", "/heard pause"),
        ("queue", "C-"),
        ("mine", "Nothing waits for you."),
        ("case", "There is no such case"),
        ("case C-999", "There is no such case"),
        ("sla", "on time"),
        ("who", "*approver*"),
        ("pause", "managers"),
        ("pauze", "Did you mean `/heard pause`?"),
        ("<!channel> *x*", "&lt;!channel&gt;"),
        ("digest now", "manager"),
        ("health", "Nothing is known to be wrong."),
    ],
)
async def test_every_command_is_answered_to_the_person_alone(
    office: Office, nina: Person, typed: str, says: str
) -> None:
    """An unknown word with the nearest."""
    await office.case()
    office.person("Mona", Role.MANAGER)
    await office.presses(nina.runs("/heard", typed))
    await office.settle()
    (said,) = office.told(nina)
    assert says in said or (says == "managers" and "manager" in said)
    assert "bag" not in said


async def test_managers_stop_and_start_all_replies(office: Office) -> None:
    """One switch for everything; what it cannot do is said."""
    mona = office.person("Mona", Role.MANAGER)
    for typed in ("pause refunds 2h", "pause", "resume"):
        await office.presses(mona.runs("/heard", typed))
        await office.settle()
        assert await office.desk.switch.paused_by() == ("Mona" if typed == "pause" else None)
    assert "Only everything" in office.told(mona)[0]


async def test_a_manager_resumes_automatic_replies_after_a_spike(office: Office, nina: Person) -> None:
    """Whoever may not is told; a stop of everything stays, and is named; again it changes nothing."""
    mona, pause = office.person("Mona", Role.MANAGER), AutomaticPause(office.store)
    at = office.clock.now()
    spike = Spike(at, at, 103, 91, usual=17.0, ratio=6.1, angry=True)
    frame = boards.Frame(at, "Europe/Oslo")
    await office.web.post(CARE, boards.spike_message(spike, frame, about="Aurora Air", paused=True))
    message = office.slack.messages(CARE)[-1]
    await pause.pause("6.1 times the usual mentions since 13:00", at)
    await office.presses(nina.clicks(message, "spike.resume"))
    await office.settle()
    assert "manager" in office.told(nina)[0]
    assert await pause.paused() is not None

    await office.desk.switch.pause("Ola")
    for _ in range(2):
        await office.presses(mona.clicks(message, "spike.resume"))
        await office.settle()
    stopped = "But all replies are stopped: write /heard resume to let them go on."
    assert office.told(mona) == [
        f"Automatic replies go on. {stopped}",
        f"Automatic replies were not paused any more. {stopped}",
    ]
    assert (await pause.paused(), await office.desk.switch.paused_by()) == (None, "Ola")


async def test_a_command_where_the_bot_is_not_is_answered_by_direct_message(
    office: Office, nina: Person
) -> None:
    """An ephemeral cannot be shown there."""
    office.slack.channel("C0OTHER", "other", invited=False)
    await office.presses(nina.runs("/heard", "help", channel="C0OTHER"))
    await office.settle()
    assert len(nina.sees().dms) == 1


async def test_a_message_makes_no_case_and_says_so(office: Office, nina: Person) -> None:
    """There is no move for it."""
    said = nina.writes(CARE, "https://x.com/maya/status/1")
    await office.presses(nina.takes_shortcut("make_case", said))
    await office.settle()
    assert "makes no case of a message" in office.told(nina)[0]


# ── troubles ─────────────────────────────────────────────────────────────────────────────────────


async def test_what_nobody_foresaw_has_a_number_and_ends_as_a_dead_letter(
    office: Office, nina: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tried five times; told at the first and the last; no word of the post anywhere."""
    case = await office.case()
    message = await office.card(case)

    async def broken_move(*_: Any, **__: Any) -> Case:
        raise ZeroDivisionError("My bag is lost!")

    monkeypatch.setattr(type(office.cases), "move", broken_move)
    await office.presses(nina.clicks(message, "card.approve"))
    for _ in range(TRIES + 1):
        await office.worker.step()
    told, logged = office.told(nina), capsys.readouterr().out
    number = told[0][told[0].index("err-") :][:10]
    assert len(told) == 2
    assert number in told[1]
    assert logged.count(number) == TRIES
    (letter,) = [one async for one in office.desk.dead.every()]
    assert letter.where == "slack presses"
    assert number in letter.reason
    assert "bag" not in logged + str(letter) + str(told)
    assert await office.desk.box.waiting() == 0


async def test_a_press_that_cannot_be_read_is_a_dead_letter(office: Office) -> None:
    """Of a newer Heard, say."""
    await office.desk.box.put("p", b"\xff{")
    await office.settle()
    assert await office.desk.box.waiting() == 0
    assert await office.desk.dead.count() == 1


async def test_a_store_that_is_lost_is_waited_for(
    office: Office, nina: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a press is taken, and while it is carried out: it is done once the store is back."""
    case = await office.case()
    message = await office.card(case)
    take, move = type(office.desk.box).take, type(office.cases).move
    falls = {"take": 2, "move": 2}

    def falling(name: str, whole: Any) -> Any:
        async def call(*args: Any, **named: Any) -> Any:
            falls[name] -= 1
            if falls[name] >= 0:
                raise StoreConnectionError("gone")
            return await whole(*args, **named)

        return call

    monkeypatch.setattr(type(office.desk.box), "take", falling("take", take))
    monkeypatch.setattr(type(office.cases), "move", falling("move", move))
    await office.presses(nina.clicks(message, "card.approve"))
    running = asyncio.create_task(office.worker.run())
    await until(lambda: len(lines(office, message)) == 1, "it is done")
    await ended(running)
    assert await office.handed_over(case) == 1
    assert office.told(nina) == []


async def test_what_slack_will_never_take_holds_nothing_up(office: Office, nina: Person) -> None:
    """The channel was archived: the decision stands, and the press is settled."""
    case = await office.case()
    message = await office.card(case)
    await office.presses(nina.clicks(message, "card.approve"))
    office.slack.channels[CARE].archived = True
    while await office.worker.step():
        pass
    assert await office.desk.box.waiting() == 0
    assert await office.handed_over(case) == 1


async def test_two_workers_and_two_people_at_once_make_one_decision(
    office: Office, nina: Person, ola: Person
) -> None:
    """Twenty cases, pressed by both, carried out by two processes."""
    office.desk = replace(office.desk, box=PressBox(office.store))
    cases = [await office.case(number) for number in range(20)]
    for case in cases:
        seen = (await office.card(case)).seen()
        await office.presses(nina.clicks(seen, "card.approve"))
        await office.presses(ola.clicks(seen, "card.approve"))
    workers = [PressWorker(office.desk, name=name, wait_ms=1) for name in ("a", "b")]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await until(lambda: len(office.told(nina)) + len(office.told(ola)) == 20, "every loser is told")
    await until(lambda: len(office.threads.said) == 20, "every winner's line")
    await ended(*running)
    assert [await office.handed_over(case) for case in cases] == [1] * 20


@pytest.mark.parametrize("fate", [ratelimited(1), broken(), refused("service_unavailable")])
async def test_an_answer_that_slack_does_not_take_is_given_later(
    office: Office, nina: Person, ola: Person, fate: Any
) -> None:
    """The decision stands; who lost is told once Slack takes it."""
    case = await office.case()
    seen = (await office.card(case)).seen()
    await office.presses(nina.clicks(seen, "card.approve"))
    await office.settle()
    office.slack.next("chat.postEphemeral", fate)
    await office.presses(ola.clicks(seen, "card.approve"))
    await office.settle()
    assert office.told(ola) == ["Nina already approved this just now, so your click did nothing."]
    assert await office.desk.box.waiting() == 0


async def test_a_line_that_waits_for_its_card_is_said_once(office: Office, nina: Person) -> None:
    """`say` asks to come again: the press does, and decides nothing anew."""
    case = await office.case()
    message = await office.card(case)
    say, times = office.threads.say, 0

    async def not_yet(*args: Any) -> str:
        nonlocal times
        times += 1
        if times < 3:
            raise TryAgainLater("busy", after=timedelta(seconds=1))
        return await say(*args)

    office.threads.say = not_yet  # type: ignore[assignment, method-assign]
    await office.presses(nina.clicks(message, "card.approve"))
    await office.settle()
    assert len(lines(office, message)) == 1
    assert await office.moved(case, Move.APPROVE) == 1


async def test_an_ended_lease_is_drawn_off_its_card(office: Office, nina: Person) -> None:
    """Somebody went to lunch with the dialog open."""
    locks = EditLocks(office.store, lasts=timedelta(milliseconds=20))
    case = await office.case()
    await locks.take(case.id, lease(nina.id, "Nina", office.clock.now()))
    office.passes(1)
    await asyncio.sleep(0.05)
    assert list(await locks.ended(office.clock.now())) == [case.id]
    assert list(await locks.ended(office.clock.now())) == []
