"""The responder's decisions: one for each judged case, and none that the brand's rules could not undo."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from casework import moves
from casework.case import Case, Moved, Status
from casework.case import Topic as Line
from casework.classification import Classification, Doubt, Topic, Urgency
from casework.clock import ManualClock
from casework.draft import Draft, ReplyKind
from casework.mention import Author
from casework.reply import Outgoing, Way
from platforms.rules import Automatic, ReplyMode, Terms
from responder.drafting import NothingFits
from responder.policy import Action, Rule, When
from responder.worker import Caps, Responder, ResponderWorker
from streams import topics
from streams.allowance import Allowance
from streams.case_store import CaseStore, Entry
from streams.connection import Store
from streams.consumer import Work
from streams.switch import AutomaticPause
from tests.fakes.cases import MAY_SEND, MINUTE, NOON, PROMISES, a_draft, a_mention, judged

NOTHING = NothingFits("nothing in the knowledge base answers this")


@dataclass
class Desk:
    """A responder played by hand: the test says what the rules, the writers and the platform say."""

    store: Store
    clock: ManualClock
    do: Action = Action.DRAFT
    to: str | None = None
    when: When = field(default_factory=When)
    draft: Draft | NothingFits = field(default_factory=a_draft)
    acknowledgement: Outgoing | NothingFits | None = None
    terms: Terms = field(default_factory=lambda: Terms(labelled=True, automatic=Automatic(enabled=True)))
    caps: Caps = field(default_factory=Caps)
    composed_with: list[Rule] = field(default_factory=list)
    numbers: int = 0

    @property
    def cases(self) -> CaseStore:
        return CaseStore(self.store)

    async def hears(
        self, judgement: Classification | None = None, *, author: Author | None = None, **changes: object
    ) -> Case:
        """A judged case in the store: Maya's, or another author's."""
        self.numbers += 1
        changes |= {"id": f"post-{self.numbers}", "author": author or a_mention().author}
        mention = replace(a_mention(), **changes)  # type: ignore[arg-type]  # each test names real fields
        case_id = topics.case_id(self.numbers, topics.partition_of_mention(mention))
        opened = moves.hear(mention, case_id=case_id, at=self.clock.now(), promises=PROMISES)
        case = await self.cases.save(opened)
        seen = moves.classify(case, judgement or judged(), at=self.clock.now(), promises=PROMISES)
        return await self.cases.save(seen)

    async def decides(self, case: Case) -> Moved | None:
        """What the worker makes of the case; the move is not saved."""
        entry = Entry(partition=0, topic=Line.CLASSIFIED, group="responder", id="1-0", case_id=case.id)
        (result,) = await self._worker()([Work(case, entry)])
        assert result is None or isinstance(result, Moved)
        return result

    async def answers(self, case: Case) -> Case:
        """The case after the decision, saved."""
        moved = await self.decides(case)
        assert moved is not None
        return await self.cases.save(moved)

    def _worker(self) -> ResponderWorker:
        responder = Responder(
            rules=(Rule(id="the rule", do=self.do, when=self.when, template="seen", to=self.to),),
            terms=lambda _: self.terms,
            compose=self._compose,
            acknowledgement=self._acknowledge,
            caps=self.caps,
        )
        pause = AutomaticPause(self.store)
        return ResponderWorker(responder, self.cases, Allowance(self.store), pause, self.clock)

    def _compose(self, case: Case, rule: Rule) -> Draft | NothingFits:
        self.composed_with.append(rule)
        if isinstance(self.draft, NothingFits):
            return self.draft
        return replace(self.draft, answers=case.last.key)

    def _acknowledge(self, case: Case, rule: Rule) -> Outgoing | NothingFits:
        return self.acknowledgement or Outgoing(
            key=f"{case.id}:ack",
            kind=ReplyKind.ACKNOWLEDGEMENT,
            text=f"We have seen this ({case.id}). Sent automatically.",
            answers=case.last.key,
            decided_by="heard",
            decided_at=self.clock.now(),
            automatic=True,
        )


@pytest.fixture
def desk(store: Store, clock: ManualClock) -> Desk:
    return Desk(store, clock)


async def test_a_rule_that_ignores_ends_the_case(desk: Desk) -> None:
    """With the rule's name, and no promise left running."""
    desk.do = Action.IGNORE
    case = await desk.answers(await desk.hears())

    assert (case.status, case.rule) == (Status.IGNORED, "the rule")
    assert not any(promise.running for promise in case.promises)


async def test_a_draft_waits_for_a_person(desk: Desk) -> None:
    """Nothing is on its way; people are told."""
    moved = await desk.decides(await desk.hears())

    assert moved is not None
    assert (moved.case.status, moved.case.outgoing) == (Status.DRAFTED, None)
    assert [send.topic for send in moved.sends] == [Line.ESCALATED]


async def test_when_nothing_fits_a_person_writes(desk: Desk) -> None:
    """The case is held, and says why there is no draft."""
    desk.draft = NOTHING
    case = await desk.answers(await desk.hears())

    assert (case.status, case.draft) == (Status.HELD, None)
    assert case.why == f"rule the rule; {NOTHING.why}"


async def test_a_rule_that_escalates_names_who(desk: Desk) -> None:
    """And nothing is composed."""
    desk.do, desk.to = Action.ESCALATE, "legal"
    moved = await desk.decides(await desk.hears())

    assert moved is not None
    assert moved.case.status is Status.HELD
    assert moved.case.escalated_to == "legal"
    assert desk.composed_with == []


async def test_what_moved_on_is_left_alone(desk: Desk) -> None:
    """A case that a person decided meanwhile needs no decision."""
    case = await desk.answers(await desk.hears())

    assert await desk.decides(case) is None


@pytest.mark.parametrize("do", list(Action))
async def test_an_opt_out_is_honoured_at_once_whatever_the_rule(desk: Desk, do: Action) -> None:
    """The post that asks for it gets no reply, and the author is remembered."""
    desk.do = do
    case = await desk.answers(await desk.hears(judged(topics=(Topic.OPT_OUT,))))

    assert (case.status, case.rule) == (Status.IGNORED, "opt-out")
    assert await desk.cases.opted_out("x", "maya")


async def test_an_opt_out_is_remembered(desk: Desk) -> None:
    """What they write later is not answered either, by nobody, and the case says why."""
    desk.do = Action.ACKNOWLEDGE
    await desk.answers(await desk.hears(judged(topics=(Topic.OPT_OUT,))))
    case = await desk.answers(await desk.hears())

    assert case.permission is not None
    assert (case.permission.way, case.permission.rule) == (Way.NEVER, "X5")
    assert case.outgoing is None


async def test_an_opt_out_is_one_authors(desk: Desk) -> None:
    """Somebody else is answered as before."""
    await desk.answers(await desk.hears(judged(topics=(Topic.OPT_OUT,))))
    case = await desk.answers(await desk.hears(author=Author("omar", "omar")))

    assert case.permission == MAY_SEND


@pytest.mark.parametrize("do", [Action.IGNORE, Action.ACKNOWLEDGE, Action.DRAFT])
@pytest.mark.parametrize("topic", [Topic.SAFETY, Topic.LEGAL, Topic.GRIEF, Topic.THREAT, Topic.SELF_HARM])
async def test_matters_for_people_go_to_people(desk: Desk, do: Action, topic: Topic) -> None:
    """No rule of the brand ignores, acknowledges or drafts them (T2)."""
    desk.do = do
    case = await desk.answers(await desk.hears(judged(topics=(topic,))))

    assert (case.status, case.rule, case.outgoing) == (Status.HELD, "T2", None)
    assert desk.composed_with == []


async def test_an_acknowledgement_goes_out_where_it_may(desk: Desk) -> None:
    """By itself, with the draft of the answer beside it for a person."""
    desk.do = Action.ACKNOWLEDGE
    moved = await desk.decides(await desk.hears())

    assert moved is not None
    assert moved.case.outgoing is not None
    assert (moved.case.outgoing.kind, moved.case.outgoing.automatic) == (ReplyKind.ACKNOWLEDGEMENT, True)
    assert moved.case.draft is not None
    assert Line.APPROVED in [send.topic for send in moved.sends]
    assert [rule.template for rule in desk.composed_with] == [None]


async def test_an_acknowledgement_needs_no_draft(desk: Desk) -> None:
    """It goes out although nothing answers the matter yet."""
    desk.do, desk.draft = Action.ACKNOWLEDGE, NOTHING
    case = await desk.answers(await desk.hears())

    assert case.outgoing is not None
    assert case.draft is None


async def test_nothing_goes_out_by_itself_unless_the_brand_says_so(desk: Desk) -> None:
    """The case gets a draft instead, and says why."""
    desk.do, desk.terms = Action.ACKNOWLEDGE, Terms(labelled=True)
    case = await desk.answers(await desk.hears())

    assert (case.status, case.outgoing) == (Status.DRAFTED, None)
    assert "switched off" in case.why


async def test_nothing_goes_out_by_itself_while_a_spike_pauses_it(desk: Desk) -> None:
    """The case gets a draft, says why in words, and costs nobody their next acknowledgement."""
    desk.do, pause = Action.ACKNOWLEDGE, AutomaticPause(desk.store)
    await pause.pause("4.2 times the usual mentions since 14:05", NOON)
    case = await desk.answers(await desk.hears())

    assert (case.status, case.outgoing) == (Status.DRAFTED, None)
    assert case.permission == MAY_SEND
    assert case.why == (
        "rule the rule; not acknowledged by itself: "
        "Automatic replies are paused: 4.2 times the usual mentions since 14:05."
    )

    await pause.resume("Nina")
    assert (await desk.answers(await desk.hears())).outgoing is not None


async def test_nothing_goes_out_by_itself_where_the_platform_forbids_it(desk: Desk) -> None:
    """What may be posted by hand only is drafted for a person, under the platform's rule."""
    desk.do = Action.ACKNOWLEDGE
    case = await desk.answers(await desk.hears(addressed=False))

    assert (case.status, case.outgoing) == (Status.DRAFTED, None)
    assert case.permission is not None
    assert (case.permission.way, case.permission.rule) == (Way.BY_HAND, "X1")
    assert case.why.endswith("(rule X1)")


async def test_a_person_may_answer_where_heard_may_not_by_itself(desk: Desk) -> None:
    """What keeps an acknowledgement in does not keep a person's answer in (X6)."""
    desk.do, desk.terms = Action.ACKNOWLEDGE, replace(desk.terms, labelled=False)
    case = await desk.answers(await desk.hears())

    assert (case.status, case.outgoing, case.permission) == (Status.DRAFTED, None, MAY_SEND)
    assert case.why.endswith("(rule X6)")


async def test_what_the_brand_leaves_to_people_is_drafted_for_them(desk: Desk) -> None:
    """With the brand's own reason."""
    desk.terms = Terms(ReplyMode.MANUAL)
    case = await desk.answers(await desk.hears())

    assert case.permission is not None
    assert (case.permission.way, case.permission.rule) == (Way.BY_HAND, "")


async def test_a_reddit_submission_gets_one_automatic_reply_a_day(desk: Desk) -> None:
    """Whoever writes below it (R3); another submission is another matter, and so is the next day."""
    desk.do = Action.ACKNOWLEDGE
    desk.terms = replace(desk.terms, approval="case 0417", allowed_places=frozenset({"travel"}))
    seen = []
    for number, (submission, later) in enumerate((("a", 0), ("a", 1), ("b", 1), ("a", 24))):
        desk.clock.advance(timedelta(hours=later))
        case = await desk.answers(
            await desk.hears(
                author=Author(f"author-{number}", "someone"),
                platform="reddit",
                conversation=submission,
                url="https://www.reddit.com/r/travel/comments/1/",
            )
        )
        seen.append(case.outgoing is not None or case.why)

    assert seen[0::2] == [True, True]
    assert str(seen[1]).endswith("(rule R3)")
    assert seen[3] is True


async def test_nothing_goes_out_by_itself_in_doubt(desk: Desk) -> None:
    """A judgement that is not sure of itself is for a person."""
    desk.do = Action.ACKNOWLEDGE
    case = await desk.answers(await desk.hears(judged(sure=0.4)))

    assert case.outgoing is None
    assert "not sure" in case.why


LOW = replace(judged(), urgency=Urgency.LOW)
NO_REPLY = When(urgencies=frozenset({Urgency.LOW}))


async def test_what_may_need_a_reply_is_not_set_aside(desk: Desk) -> None:
    """A rule that stands on what the model is not sure of leaves the case to people, with a draft."""
    desk.do, desk.when = Action.IGNORE, NO_REPLY
    sure = await desk.answers(await desk.hears(LOW))
    unsure = await desk.answers(await desk.hears(replace(LOW, doubts=(Doubt.URGENCY,))))

    assert sure.status is Status.IGNORED
    assert unsure.status is Status.DRAFTED
    assert unsure.why == "rule the rule; not sure how soon"


@pytest.mark.parametrize("do", [Action.IGNORE, Action.ACKNOWLEDGE, Action.DRAFT])
async def test_a_language_that_the_model_does_not_read_is_handed_over(desk: Desk, do: Action) -> None:
    """Not guessed: nothing is set aside, sent or drafted on what the model made of it."""
    desk.do = do
    foreign = replace(judged(), language="is", doubts=(Doubt.LANGUAGE,))
    case = await desk.answers(await desk.hears(foreign))

    assert (case.status, case.draft, case.outgoing) == (Status.HELD, None, None)
    assert case.why == "rule the rule; the model does not read this language (is)"


@pytest.mark.parametrize("do", [Action.IGNORE, Action.ACKNOWLEDGE, Action.DRAFT])
async def test_a_post_that_speaks_to_the_machine_is_handed_over(desk: Desk, do: Action) -> None:
    """What the model made of it may be what the post wanted it to make."""
    desk.do = do
    case = await desk.answers(await desk.hears(judged(doubts=(Doubt.ORDERS,))))

    assert (case.status, case.draft, case.outgoing) == (Status.HELD, None, None)
    assert case.why == "rule the rule; the post speaks to the machine"


async def test_words_that_a_rule_asks_for_are_no_guess(desk: Desk) -> None:
    """Spam is set aside by its words, in whatever language the rest is."""
    desk.do, desk.when = Action.IGNORE, When(topics=frozenset({"spam"}))
    case = await desk.answers(await desk.hears(judged(topics=("spam",), doubts=(Doubt.LANGUAGE,))))

    assert case.status is Status.IGNORED


async def test_nothing_goes_out_by_itself_without_wording(desk: Desk) -> None:
    """A template that cannot be used leaves the case to a person, and its reason on the case."""
    desk.do = Action.ACKNOWLEDGE
    desk.acknowledgement = NothingFits("there is no acknowledgement seen in de")
    case = await desk.answers(await desk.hears())

    assert (case.status, case.outgoing) == (Status.DRAFTED, None)
    assert "there is no acknowledgement seen in de" in case.why


async def test_a_customer_has_one_automatic_reply_a_day(desk: Desk) -> None:
    """In another matter too; a day later they may have another."""
    desk.do = Action.ACKNOWLEDGE
    seen = []
    for later in (timedelta(0), timedelta(hours=23), timedelta(hours=2)):
        desk.clock.advance(later)
        seen.append((await desk.answers(await desk.hears())).outgoing is not None)

    assert seen == [True, False, True]


async def test_an_hour_has_only_so_many_automatic_replies(desk: Desk) -> None:
    """To whomever; the rest is drafted for people, and an hour later it goes on."""
    desk.do, desk.caps = Action.ACKNOWLEDGE, Caps(per_hour=3)
    seen = []
    for number in range(5):
        desk.clock.advance(MINUTE)
        case = await desk.hears(author=Author(f"author-{number}", "someone"))
        seen.append((await desk.answers(case)).outgoing is not None)
    desk.clock.advance(timedelta(hours=1))
    case = await desk.hears(author=Author("late", "late"))

    assert seen == [True, True, True, False, False]
    assert (await desk.answers(case)).outgoing is not None


async def test_a_decision_that_is_made_twice_is_counted_once(desk: Desk) -> None:
    """A worker that died before it saved decides the same again."""
    desk.do = Action.ACKNOWLEDGE
    case = await desk.hears()
    first, second = await desk.decides(case), await desk.decides(case)

    assert first == second
    assert first is not None
    assert first.case.outgoing is not None


async def test_a_bot_is_never_answered_by_itself(desk: Desk) -> None:
    """Two bots that thank each other never end: the platforms' rules say never, and that is obeyed."""
    desk.do = Action.ACKNOWLEDGE
    case = await desk.answers(await desk.hears(author=Author("feed", "feed", bot=True)))

    assert case.outgoing is None
    assert case.permission is not None
    assert (case.permission.way, case.permission.rule) == (Way.NEVER, "T11")


async def test_decisions_carry_the_time_of_the_clock(desk: Desk) -> None:
    """And never the machine's."""
    case = await desk.answers(await desk.hears())

    assert {entry.at for entry in await desk.cases.timeline(case.id)} == {NOON}
