"""The sender: never two replies, never none, whatever the platform answers and whatever dies."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from casework import moves
from casework.case import Case, Moved, Status, Topic
from casework.clock import ManualClock
from casework.draft import ReplyKind
from casework.errors import Conflict
from casework.mention import Mention
from casework.reply import Outgoing, Reply, Way
from escalation.promises import PromiseClock
from platforms.faults import Trouble
from platforms.platform import Busy, Gone, Present, Refused, Unknown
from platforms.rules import Automatic, ReplyMode, Terms
from responder.sender import Sender, give_up
from streams import topics
from streams.case_store import CaseStore, Entry
from streams.claim import UNDISPUTED
from streams.connection import Store
from streams.consumer import MAX_DELIVERIES, Consumer, Work
from streams.dead_letters import DeadLetter, DeadLetters
from streams.switch import AutomaticPause, PauseSwitch
from tests.fakes.cases import MAY_SEND, NOON, PROMISES, a_draft, a_mention, judged
from tests.fakes.clocks import SetClock
from tests.fakes.deaths import Killed
from tests.fakes.platform import ScriptedPlatform

MINUTE = timedelta(minutes=1)
CASE_ID = topics.case_id(1, topics.partition_of("x", "maya"))


class Desk:
    """One approved case, a sender, and the clock that brings unknown fates back."""

    def __init__(self, store: Store, cases: CaseStore, clock: ManualClock) -> None:
        self.store, self.cases, self.clock = store, cases, clock
        self.platform = ScriptedPlatform(clock)
        self.terms = Terms(labelled=True, automatic=Automatic(enabled=True))
        self.switch = PauseSwitch(store)
        self.promise_clock = PromiseClock(cases, clock)
        self.consumer = self.new_process()

    def sender(self) -> Sender:
        """What posts."""
        return Sender(
            cases=self.cases,
            platforms={"x": self.platform},
            terms=lambda _: self.terms,
            switch=self.switch,
            claim=UNDISPUTED,
            pause=AutomaticPause(self.store),
            promises=PROMISES,
            clock=self.clock,
        )

    def new_process(self) -> Consumer:
        """The same consumer after a restart."""
        return Consumer(
            self.store,
            self.cases,
            topic=Topic.APPROVED,
            group="sender",
            name="me",
            handler=self.sender(),
            clock=self.clock,
            give_up=give_up,
        )

    async def save(self, *steps: Moved) -> Case:
        """Save moves one after the other."""
        for moved in steps:
            await self.cases.save(moved)
        return steps[-1].case

    async def approve(self) -> Case:
        """A case whose draft Nina approved."""
        heard = moves.hear(a_mention(), case_id=CASE_ID, at=NOON, promises=PROMISES)
        judgement = moves.classify(heard.case, judged(), at=NOON, promises=PROMISES)
        draft = moves.propose(judgement.case, a_draft(), permission=MAY_SEND, rule="r", why="", at=NOON)
        approval = moves.approve(draft.case, by="Nina", at=NOON, draft_sha256=a_draft().sha256)
        return await self.save(heard, judgement, draft, approval)

    async def acknowledge(self) -> Case:
        """A case that Heard acknowledges by itself."""
        heard = moves.hear(a_mention(), case_id=CASE_ID, at=NOON, promises=PROMISES)
        judgement = moves.classify(heard.case, judged(), at=NOON, promises=PROMISES)
        outgoing = Outgoing(
            f"{CASE_ID}:ack",
            ReplyKind.ACKNOWLEDGEMENT,
            "We have seen it.",
            a_mention().key,
            "heard",
            NOON,
            automatic=True,
        )
        own = moves.acknowledge(
            judgement.case, outgoing, draft=a_draft(), permission=MAY_SEND, rule="r", why="", at=NOON
        )
        return await self.save(heard, judgement, own)

    async def has_answered(self) -> Case:
        """The approved case, whose mention has its answer from before."""
        case = await self.cases.load(CASE_ID)
        answer = Reply("before", ReplyKind.ANSWER, "1", "Found it.", a_mention().key, "Nina", NOON)
        moved = moves.note(case, by="Nina", at=NOON, text="")
        return await self.save(replace(moved, case=replace(moved.case, replies=(answer,))))

    async def run(self, *, minutes: int = 0) -> Case:
        """Let everything happen now and in the next minutes."""
        for minute in range(minutes + 1):
            self.clock.advance(MINUTE if minute else timedelta(0))
            while await self.consumer.step() + await self.promise_clock.sweep():
                pass
        return await self.cases.load(CASE_ID)

    async def before(self, attempt: str) -> int:
        """Stand before the first attempt, or a second after a lost one; how many there were."""
        await self.approve()
        if attempt == "second":
            self.platform.script = [Unknown("reset")]
            await self.run()
        return self.platform.attempts


@pytest.fixture
def desk(store: Store, cases: CaseStore, clock: ManualClock) -> Desk:
    return Desk(store, cases, clock)


async def test_an_approved_reply_is_posted_once_and_recorded(desk: Desk) -> None:
    """The text that was read is the text that is sent; who decided is on the reply."""
    await desk.approve()
    case = await desk.run()

    assert case.status is Status.ANSWERED
    assert [post.text for post in desk.platform.posts] == [a_draft().text]
    assert [(reply.id, reply.decided_by) for reply in case.replies] == [("reply-1", "Nina")]


async def test_a_lost_answer_is_looked_for_and_never_repeated(desk: Desk) -> None:
    """The reply arrived, its answer did not: it is found once nothing can be in flight."""
    desk.platform.script = ["lost"]
    await desk.approve()
    case = await desk.run()
    assert case.status is Status.UNKNOWN

    case = await desk.run(minutes=1)

    assert case.status is Status.ANSWERED
    assert (desk.platform.attempts, len(desk.platform.posts)) == (1, 1)


async def test_an_attempt_that_never_arrived_is_repeated_byte_for_byte(desk: Desk) -> None:
    """Looked for, not found, sent again with the same key and text."""
    desk.platform.script = [Unknown("reset"), Unknown("503"), "post"]
    await desk.approve()
    case = await desk.run(minutes=3)

    assert case.status is Status.ANSWERED
    assert (desk.platform.attempts, len(desk.platform.posts)) == (3, 1)
    assert desk.platform.posts[0].key == f"{CASE_ID}:draft-1"


async def test_a_bug_in_the_library_is_an_unknown_fate(desk: Desk) -> None:
    """Something may be out: it is looked for like any other."""
    desk.platform.script = ["raise"]
    await desk.approve()
    case = await desk.run(minutes=1)

    assert case.status is Status.ANSWERED
    assert len(desk.platform.posts) == 1


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_set_does_not_shorten_the_wait(
    store: Store, cases: CaseStore, hours: int
) -> None:
    """The hour that the clock was set on by has not passed: what is under way may still arrive."""
    clock = SetClock(NOON)
    desk = Desk(store, cases, clock)
    desk.platform.script = [Unknown("no answer yet")]
    await desk.approve()
    await desk.run()
    clock.set_on(timedelta(hours=hours))
    await desk.run()
    assert desk.platform.looks == 0

    clock.advance(timedelta(seconds=29))
    await desk.run()
    assert desk.platform.looks == 0

    await desk.run(minutes=1 if hours > 0 else 62)
    assert desk.platform.looks == 1


async def test_a_restart_waits_for_what_the_dead_process_may_have_sent(
    store: Store, cases: CaseStore
) -> None:
    """It cannot know when that left, only that it was before its own beginning."""
    clock = SetClock(NOON)
    desk = Desk(store, cases, clock)
    desk.platform.script = [Unknown("no answer yet")]
    await desk.approve()
    await desk.run()
    clock.set_on(timedelta(hours=1))
    desk.consumer = desk.new_process()
    await desk.run()
    assert desk.platform.looks == 0

    assert (await desk.run(minutes=1)).status is Status.FAILED


@pytest.mark.parametrize("where", ["as the intent is saved", "as the last is asked"])
async def test_a_process_that_was_stopped_posts_nothing_with_a_stale_claim(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Stopped between its intent and its post for ten minutes: the clock brings the case back."""
    await desk.approve()
    method = "save" if where == "as the intent is saved" else "opted_out"
    real = getattr(desk.cases, method)
    stops = [timedelta(minutes=10)] if method == "save" else [timedelta(0), timedelta(minutes=10)]

    async def stopped(*args: object, **named: object) -> object:
        done = await real(*args, **named)
        desk.clock.advance(stops.pop(0) if stops else timedelta(0))
        return done

    monkeypatch.setattr(desk.cases, method, stopped)
    await desk.consumer.step()
    assert not stops
    assert desk.platform.attempts == 0

    case = await desk.run(minutes=1)
    assert case.status is Status.ANSWERED
    assert (desk.platform.attempts, len(desk.platform.posts)) == (1, 1)


@pytest.mark.parametrize("attempt", ["first", "second"])
async def test_a_process_that_was_stopped_posts_nothing_on_an_old_look(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, attempt: str
) -> None:
    """Stopped for ten minutes after it had seen the post, which its author deleted meanwhile."""
    before = await desk.before(attempt)
    answered = desk.platform.answered

    async def stopped(mention: Mention, *, ours: frozenset[str]) -> str | None:
        somebody = await answered(mention, ours=ours)
        desk.clock.advance(timedelta(minutes=10))
        desk.platform.texts["x:post-1"] = None
        return somebody

    monkeypatch.setattr(desk.platform, "answered", stopped)
    case = await desk.run(minutes=2)

    assert desk.platform.attempts == before
    assert "deleted" in case.why


@pytest.mark.parametrize("attempt", ["first", "second"])
async def test_a_clock_that_is_set_during_the_look_lets_nothing_leave_too_late(
    store: Store, cases: CaseStore, monkeypatch: pytest.MonkeyPatch, attempt: str
) -> None:
    """It was two hours behind, so the reply still seemed to be in time; it is set right, and then asked."""
    clock = SetClock(NOON)
    desk = Desk(store, cases, clock)
    before = await desk.before(attempt)
    answered = desk.platform.answered

    async def set_right(mention: Mention, *, ours: frozenset[str]) -> str | None:
        clock.set_on(timedelta(hours=2))
        return await answered(mention, ours=ours)

    monkeypatch.setattr(desk.platform, "answered", set_right)
    case = await desk.run(minutes=2)

    assert desk.platform.attempts == before
    assert "in time" in case.why


async def test_a_deletion_that_is_heard_of_after_the_intent_keeps_the_reply_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look saw the post; a listener was told of its end before the reply left."""
    await desk.approve()
    real = desk.cases.save

    async def deleted(moved: Moved, settle: Entry | None = None) -> Case:
        begun = await real(moved, settle)
        if begun.status is Status.SENDING:
            await real(moves.withdraw(begun, mention_key=a_mention().key, at=NOON))
        return begun

    with monkeypatch.context() as patch:
        patch.setattr(desk.cases, "save", deleted)
        await desk.consumer.step()
    case = await desk.run(minutes=2)

    assert desk.platform.attempts == 0
    assert case.status not in (Status.ANSWERED, Status.ACKNOWLEDGED)


@pytest.mark.parametrize("pressed", [True, False])
async def test_the_switch_is_asked_again_just_before_the_post(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, pressed: bool
) -> None:
    """Pressed after the intent was written down; or nobody knows, as its answer took two seconds."""
    await desk.approve()
    opted_out, last = desk.cases.opted_out, [False, True]

    async def pressed_or_slow(platform: str, author_id: str) -> bool:
        if last and last.pop(0):
            await desk.switch.pause("Lee") if pressed else desk.clock.advance(timedelta(seconds=2))
        return await opted_out(platform, author_id)

    monkeypatch.setattr(desk.cases, "opted_out", pressed_or_slow)
    await desk.consumer.step()
    assert not last
    assert desk.platform.attempts == 0
    assert (await desk.cases.load(CASE_ID)).status is Status.APPROVED

    await desk.switch.resume("Lee")
    case = await desk.run(minutes=1)
    assert case.status is Status.ANSWERED
    assert (desk.platform.attempts, len(desk.platform.posts)) == (1, 1)


async def test_a_second_sender_posts_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lost the claim keeps what it has for the one that holds it."""
    await desk.approve()

    async def another(_: object) -> str:
        return "process 7 on other"

    with monkeypatch.context() as patch:
        patch.setattr(type(UNDISPUTED), "held_by_another", another)
        assert (await desk.run(minutes=3)).status is Status.APPROVED
    assert desk.platform.attempts == 0

    assert (await desk.run(minutes=3)).status is Status.ANSWERED


async def test_a_refusal_goes_back_to_people_and_the_promise_runs(desk: Desk) -> None:
    """Nothing was published; the case says why."""
    desk.platform.script = [Refused("403: not allowed")]
    await desk.approve()
    case = await desk.run()

    assert (case.status, case.why) == (Status.FAILED, "403: not allowed")
    assert all(promise.running for promise in case.promises)
    assert not desk.platform.posts


async def test_a_busy_platform_is_asked_again_when_it_says(desk: Desk) -> None:
    """A 429 waits as long as it asks for."""
    desk.platform.script = [Busy("429", timedelta(minutes=5))]
    await desk.approve()
    waiting = await desk.run(minutes=4)
    assert (waiting.status, waiting.look_at) == (Status.APPROVED, NOON + 5 * MINUTE)
    assert desk.platform.attempts == 1

    case = await desk.run(minutes=2)

    assert case.status is Status.ANSWERED
    assert len(desk.platform.posts) == 1


async def test_a_death_after_the_post_is_found_out_and_not_repeated(desk: Desk) -> None:
    """The process ends between the platform's answer and its record."""
    await desk.approve()

    async def die(case: Case, entry: object, fate: object, platform: object) -> None:
        raise ConnectionError("power cut")

    dying = desk.new_process()
    sender = dying._handler
    assert isinstance(sender, Sender)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sender, "_record", staticmethod(die))
        with pytest.raises(ConnectionError):
            await dying.step()
    desk.consumer = desk.new_process()
    case = await desk.run()
    assert case.status is Status.SENDING

    case = await desk.run(minutes=1)

    assert case.status is Status.ANSWERED
    assert len(desk.platform.posts) == 1


async def test_a_death_before_the_post_still_sends_it(desk: Desk) -> None:
    """The intent is on disk: the clock brings it back, the look finds nothing, it goes out."""
    await desk.approve()

    async def die(works: Sequence[object]) -> Sequence[None]:
        case = await desk.cases.load(CASE_ID)
        await desk.cases.save(moves.begin_sending(case, at=NOON, look_at=NOON + MINUTE))
        raise ConnectionError("power cut")

    desk.consumer.use(die)
    with pytest.raises(ConnectionError):
        await desk.consumer.step()
    desk.consumer = desk.new_process()
    case = await desk.run(minutes=2)

    assert case.status is Status.ANSWERED
    assert len(desk.platform.posts) == 1


async def test_the_customer_who_writes_during_the_post_does_not_lose_the_record(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is recorded on the case as it is now, and the new mention comes up for judgement."""
    await desk.approve()
    reply = desk.platform.reply

    async def interrupted(mention: Mention, outgoing: object) -> object:
        case = await desk.cases.load(CASE_ID)
        await desk.cases.save(moves.join(case, a_mention(2), at=NOON, promises=PROMISES))
        return await reply(mention, outgoing)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(desk.platform, "reply", interrupted)
    case = await desk.run()

    assert case.status is Status.NEW
    assert [r.id for r in case.replies] == ["reply-1"]
    assert len(desk.platform.posts) == 1


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("opted out", "asked not to be answered"),
        ("answered", "has its answer already"),
        ("somebody else", "somebody of the brand answered"),
        ("forbidden", "people post on X themselves"),
        ("too late", "could not be posted in time"),
    ],
)
async def test_the_look_before_sending_keeps_a_wrong_reply_in(desk: Desk, what: str, why: str) -> None:
    """Nothing leaves, and a person is asked."""
    await desk.approve()
    if what == "opted out":
        await desk.cases.opt_out("x", "maya")
    elif what == "somebody else":
        desk.platform.others["x:post-1"] = "by-hand-1"
    elif what == "forbidden":
        desk.terms = Terms(ReplyMode.MANUAL)
    elif what == "answered":
        await desk.has_answered()
    else:
        desk.clock.advance(timedelta(hours=2))
    case = await desk.run()

    assert case.status is Status.HELD
    assert why in case.why
    assert desk.platform.attempts == 0


@pytest.mark.parametrize(("what", "rule"), [("opted out", "X5"), ("answered", "X2")])
async def test_what_the_rules_keep_in_names_its_rule(desk: Desk, what: str, rule: str) -> None:
    """On the timeline, and as what the case is allowed from now on."""
    await desk.approve()
    if what == "opted out":
        await desk.cases.opt_out("x", "maya")
    else:
        await desk.has_answered()
    case = await desk.run()

    assert (await desk.cases.timeline(CASE_ID))[-1].detail.endswith(f"(rule {rule})")
    assert case.permission is not None
    assert (case.permission.way, case.permission.rule) == (Way.NEVER, rule)


async def test_an_acknowledgement_is_held_to_the_rules_for_automatic_replies(desk: Desk) -> None:
    """The label went from the profile meanwhile (X6): Heard keeps quiet, and people may still answer."""
    await desk.acknowledge()
    desk.terms = replace(desk.terms, labelled=False)
    case = await desk.run()

    assert case.status is Status.HELD
    assert case.why.endswith("(rule X6)")
    assert desk.platform.attempts == 0
    assert case.permission is not None
    assert case.permission.way is Way.SEND


async def test_an_acknowledgement_goes_out(desk: Desk) -> None:
    """It does not stand in its own way as a reply that is on its way."""
    await desk.acknowledge()
    case = await desk.run()

    assert case.status is Status.ACKNOWLEDGED
    assert desk.platform.attempts == 1


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("opted out", "asked not to be answered"),
        ("forbidden", "people post on X themselves"),
        ("deleted", "the author deleted the post"),
        ("edited", "the author changed the post"),
        ("somebody else", "somebody of the brand answered"),
        ("too late", "could not be posted in time"),
    ],
)
async def test_what_never_arrived_is_not_repeated_once_something_speaks_against_it(
    desk: Desk, what: str, why: str
) -> None:
    """The look found nothing, so nothing is out: what holds before a first post holds before a second."""
    desk.platform.script = [Unknown("reset")]
    await desk.approve()
    await desk.run()
    if what == "opted out":
        await desk.cases.opt_out("x", "maya")
    elif what == "forbidden":
        desk.terms = Terms(ReplyMode.MANUAL)
    elif what == "deleted":
        desk.platform.texts["x:post-1"] = None
    elif what == "edited":
        desk.platform.texts["x:post-1"] = "Never mind, found it!"
    elif what == "somebody else":
        desk.platform.others["x:post-1"] = "by-hand-1"
    else:
        desk.clock.advance(timedelta(hours=2))
    case = await desk.run(minutes=1)

    assert case.status is Status.FAILED
    assert why in case.why
    assert desk.platform.attempts == 1


async def test_an_edited_post_is_judged_anew_before_anything_is_answered(desk: Desk) -> None:
    """The approval was for other words: the new ones go back to be judged, and can be answered then."""
    await desk.approve()
    desk.platform.texts["x:post-1"] = "Never mind, found it!"
    case = await desk.run()

    assert (case.status, case.last.text, case.draft) == (Status.NEW, "Never mind, found it!", None)
    assert desk.platform.attempts == 0


async def test_a_deleted_post_is_never_answered(desk: Desk) -> None:
    """The author took it back: its words go from the case and nothing leaves."""
    await desk.approve()
    desk.platform.texts["x:post-1"] = None
    case = await desk.run()

    assert (case.status, case.last.text) == (Status.CLOSED, "")
    assert desk.platform.attempts == 0


async def test_the_kill_switch_stops_what_is_approved_until_it_is_lifted(desk: Desk) -> None:
    """Checked before every post; the approval waits and is not lost."""
    await desk.switch.pause("Mona")
    await desk.approve()
    case = await desk.run(minutes=2)
    assert (case.status, desk.platform.attempts) == (Status.APPROVED, 0)

    await desk.switch.resume("Mona")
    case = await desk.run(minutes=1)

    assert case.status is Status.ANSWERED
    assert len(desk.platform.posts) == 1


async def test_an_acknowledgement_decided_just_before_a_spike_stays_in(desk: Desk) -> None:
    """It goes to people, who see why; nothing was posted."""
    await desk.acknowledge()
    await AutomaticPause(desk.store).pause("4.2 times the usual mentions since 14:05", NOON)
    case = await desk.run()

    assert (case.status, desk.platform.attempts) == (Status.HELD, 0)
    assert "Automatic replies are paused: 4.2 times the usual" in case.why


async def test_a_spike_stops_the_repeat_of_an_acknowledgement_that_got_lost(desk: Desk) -> None:
    """It is looked for, was not there, and is not sent again."""
    desk.platform.script = [Unknown("reset"), "post"]
    await desk.acknowledge()
    await desk.run()
    await AutomaticPause(desk.store).pause("4.2 times the usual mentions since 14:05", NOON)
    case = await desk.run(minutes=2)

    assert (case.status, desk.platform.attempts) == (Status.FAILED, 1)
    assert "Automatic replies are paused" in case.why


async def test_a_spike_keeps_nobody_from_answering(desk: Desk) -> None:
    """What a person approved goes out."""
    await AutomaticPause(desk.store).pause("4.2 times the usual mentions since 14:05", NOON)
    await desk.approve()

    assert (await desk.run()).status is Status.ANSWERED


async def test_the_kill_switch_stops_repeats_too(desk: Desk) -> None:
    """An attempt that never arrived is not repeated while sending is stopped."""
    desk.platform.script = [Unknown("reset")]
    await desk.approve()
    await desk.run()
    await desk.switch.pause("Mona")
    await desk.run(minutes=3)
    assert desk.platform.attempts == 1

    await desk.switch.resume("Mona")
    case = await desk.run(minutes=1)

    assert case.status is Status.ANSWERED


@pytest.mark.parametrize(
    "moment", ["first look", "read again", "colleagues asked", "intent saved", "sent again"]
)
async def test_whoever_says_stop_before_the_post_is_heard(
    desk: Desk, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two steps of the sender: nothing is posted after it (X5)."""
    await desk.approve()
    platform = desk.platform

    async def stop() -> None:
        await desk.cases.opt_out("x", "maya")

    def stopping_after(method: str, owner: object) -> None:
        real = getattr(owner, method)

        async def slow(*args: object, **named: object) -> object:
            answer = await real(*args, **named)
            await stop()
            return answer

        monkeypatch.setattr(owner, method, slow)

    if moment == "first look":
        stopping_after("paused_by", PauseSwitch)
    elif moment == "read again":
        stopping_after("reread", platform)
    elif moment == "colleagues asked":
        stopping_after("answered", platform)
    elif moment == "intent saved":
        stopping_after("save", desk.cases)
    else:
        platform.script = [Unknown("timeout")]
        stopping_after("find_reply", platform)
    case = await desk.run(minutes=2)

    assert platform.posts == []
    assert case.status in (Status.HELD, Status.FAILED)
    assert "X5" in case.why


async def test_a_reply_is_deleted_where_it_stands_when_a_person_wants_it(desk: Desk) -> None:
    """Through the sender, the one that speaks to platforms for the brand; once (T15)."""
    await desk.approve()
    answered = await desk.run()
    reply_id = answered.replies[0].id
    await desk.cases.save(moves.ask_back(answered, by="Nina", at=NOON, reply_id=reply_id))
    case = await desk.run()

    assert desk.platform.taken_back == [reply_id]
    assert (case.status, case.replies) == (Status.HELD, ())


class TroubledPlatform(ScriptedPlatform):
    """In trouble over some mentions, or over all; whom it was asked about is written down."""

    def __init__(self, clock: ManualClock, *, over: frozenset[str] | None = None) -> None:
        super().__init__(clock)
        self.asked: list[str] = []
        self.over = over

    async def reread(self, mention: Mention) -> Present | Gone:
        """An error, or the mention."""
        self.asked.append(mention.key)
        if self.over is None or mention.key in self.over:
            raise Trouble("it answers with errors (503)")
        return await super().reread(mention)


def works(case: Case, number: int) -> list[Work]:
    """As many approved cases on the platform in trouble, each of a mention of its own."""
    mentions = [replace(case.mentions[0], id=f"post-{n}", platform="troubled") for n in range(number)]
    return [
        Work(
            replace(
                case,
                id=topics.case_id(100 + number, topics.partition_of("x", "maya")),
                platform="troubled",
                mentions=(mention,),
                outgoing=replace(case.outgoing, answers=mention.key) if case.outgoing else None,
            ),
            Entry(0, Topic.APPROVED, "sender", "1-0", case.id),
        )
        for number, mention in enumerate(mentions)
    ]


def fails(desk: Desk, method: str, error: type[BaseException], patch: pytest.MonkeyPatch) -> None:
    """Make a question to the platform end badly, each time."""

    async def failing(*_: object, **__: object) -> None:
        raise error

    patch.setattr(desk.platform, method, failing)


async def the_dead_letter(desk: Desk) -> DeadLetter:
    """The one that there is."""
    (letter,) = [letter async for letter in DeadLetters(desk.store).every()]
    return letter


async def test_what_no_process_survives_sending_goes_back_to_people(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An approval is never forgotten on the way: it says why, and can be given again."""
    await desk.approve()
    with monkeypatch.context() as patch:
        fails(desk, "reread", Killed, patch)
        for _ in range(MAX_DELIVERIES):
            with pytest.raises(Killed):
                await desk.new_process().step()
        await desk.new_process().step()
    case = await desk.cases.load(CASE_ID)
    assert (case.status, "nothing was posted" in case.why) == (Status.HELD, True)
    assert (await the_dead_letter(desk)).case_id == CASE_ID

    assert case.draft is not None
    await desk.save(moves.approve(case, by="Nina", at=NOON, draft_sha256=case.draft.sha256))
    assert (await desk.run()).status is Status.ANSWERED
    assert len(desk.platform.posts) == 1


async def test_what_may_be_out_is_never_said_not_to_be(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can look for it: it waits for whoever puts the dead letter back."""
    desk.platform.script = [Unknown("reset")]
    await desk.approve()
    await desk.run()
    with monkeypatch.context() as patch:
        fails(desk, "find_reply", KeyError, patch)
        assert (await desk.run(minutes=2)).status is Status.UNKNOWN

    await DeadLetters(desk.store).retry(await the_dead_letter(desk))
    assert (await desk.run()).status is Status.ANSWERED
    assert len(desk.platform.posts) == 1


async def test_a_platform_in_trouble_is_asked_once_for_a_whole_batch(desk: Desk) -> None:
    """Each question would cost its limits, and replies on other platforms wait behind them."""
    case = await desk.approve()
    troubled = TroubledPlatform(desk.clock)
    sender = replace(desk.sender(), platforms={"x": desk.platform, "troubled": troubled})
    healthy = Work(case, Entry(0, Topic.APPROVED, "sender", "1-0", case.id))

    *put_off, posted = await sender([*works(case, 3), healthy])

    assert [type(result) for result in put_off] == [Trouble] * 3
    assert len(troubled.asked) == 1
    assert posted is None
    assert len(desk.platform.posts) == 1


async def test_a_case_that_always_meets_trouble_keeps_no_other_back(desk: Desk) -> None:
    """It is asked about first, once; from then on those that met none go first."""
    case = await desk.approve()
    batch = works(case, 3)
    troubled = TroubledPlatform(desk.clock, over=frozenset({batch[0].case.last.key}))
    sender = replace(desk.sender(), platforms={"troubled": troubled})

    await sender(batch)
    assert troubled.asked == ["troubled:post-0"]
    # These cases are not in the store: to begin to send one is as far as it goes.
    assert [type(result) for result in await sender(batch)] == [Trouble, Conflict, Conflict]
    assert troubled.asked == ["troubled:post-0", "troubled:post-1", "troubled:post-2", "troubled:post-0"]
