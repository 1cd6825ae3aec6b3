"""The manual: what Heard promises, one story each, as people live it. Start here."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from casework import moves
from casework.case import Standing, Status, due_next, standing
from casework.classification import Intent, Sentiment, Topic, Urgency
from casework.errors import Conflict, NotAllowedHere
from casework.sla import PromiseState
from tests.campaigns.killing import run
from tests.fakes.cases import judged
from tests.stories.conftest import World

COMPLAINT = judged(Urgency.HIGH, Intent.COMPLAINT, Sentiment.NEGATIVE)
CHATTER = judged(Urgency.LOW, Intent.OTHER, Sentiment.NEUTRAL)
ANSWER = "We are so sorry, Maya. Your bag is in Oslo and comes to you tonight."


async def test_a_complaint_is_answered_within_the_hour(world: World) -> None:
    """Maya complains; Nina writes and approves; the customer sees it; both promises are kept."""
    case = await world.write("@auroraair third time asking: where is my bag?", judged=COMPLAINT)
    await world.pass_time(20)
    case = await world.write_draft(await world.look(case), ANSWER, by="Nina")
    case = await world.approve(case, by="Nina")

    assert case.status is Status.ANSWERED
    assert [reply.text for reply in world.customer_sees(case)] == [ANSWER]
    assert [(p.name, p.state) for p in case.promises] == [
        ("first hour", PromiseState.MET),
        ("same day", PromiseState.MET),
    ]
    timeline = await world.line.cases.timeline(case.id)
    assert [entry.what for entry in timeline] == [
        *("hear", "classify", timeline[2].what, "edit", "approve", "begin sending", "be sent")
    ]


async def test_a_question_that_the_knowledge_base_answers_gets_a_draft_with_its_source(world: World) -> None:
    """The draft is the article's own reply, cited; nothing goes out before a person says so."""
    case = await world.write("@auroraair Does a folding bike count as a normal checked bag?")

    assert case.status is Status.DRAFTED
    assert case.draft is not None
    assert [source.id[:3] for source in case.draft.sources] == ["KB-"]
    assert world.customer_sees(case) == []


async def test_a_question_that_nothing_answers_is_held_for_a_person(world: World) -> None:
    """Heard says so rather than inventing something."""
    case = await world.write("@auroraair qwertz yxcvb?")

    assert (case.status, case.draft) == (Status.HELD, None)
    assert "nothing" in case.why


async def test_a_promise_is_about_to_break_and_the_manager_hears_of_it(world: World) -> None:
    """The desk is warned at 50 % and 80 %; after the hour the managers are told, then the next, once each."""
    case = await world.write("@auroraair stuck at the airport, nobody answers", judged=COMPLAINT)
    await world.pass_time(49)
    assert standing(await world.look(case)) is Standing.AT_RISK
    assert [alert.to for _, alert in world.managers.told] == ["everybody on duty"] * 2

    await world.pass_time(61)

    assert standing(await world.look(case)) is Standing.LATE
    broken = [alert.to for _, alert in world.managers.told if alert.state is PromiseState.BREACHED]
    assert broken[0] == "managers"
    assert len(broken) == len(set(broken))


async def test_a_manager_who_heard_the_alarm_is_left_alone(world: World) -> None:
    """Acknowledging stops the ladder; the promise stays broken and the case stays late."""
    case = await world.write("@auroraair stuck at the airport, nobody answers", judged=COMPLAINT)
    await world.pass_time(61)
    told = len(world.managers.told)
    await world.line.cases.move(case.id, lambda c: moves.hush(c, by="Mona", at=world.clock.now()))
    await world.pass_time(60)

    assert len(world.managers.told) == told
    assert standing(await world.look(case)) is Standing.LATE


async def test_snoozing_never_stops_a_promise(world: World) -> None:
    """A case asleep past its hour is late all the same, and the manager hears of it."""
    case = await world.write("@auroraair where is my refund?", judged=COMPLAINT)
    until = world.clock.now() + timedelta(hours=3)
    await world.line.cases.move(
        case.id, lambda c: moves.snooze(c, by="Nina", at=world.clock.now(), until=until)
    )
    await world.pass_time(61)

    case = await world.look(case)
    assert (case.status, standing(case)) == (Status.SNOOZED, Standing.LATE)
    assert "managers" in {alert.to for _, alert in world.managers.told}


async def test_a_case_waits_for_the_customer(world: World) -> None:
    """Its promises stand still until she writes; then they have as much time left as before."""
    case = await world.write("@auroraair My bag is lost!", judged=COMPLAINT)
    await world.pass_time(20)
    case = await world.line.cases.move(
        case.id,
        lambda c: moves.pause(c, by="Nina", at=world.clock.now(), reason="waiting for her booking number"),
    )
    await world.pass_time(300)
    assert world.managers.told == []
    assert due_next(await world.look(case)) is None

    case = await world.write("@auroraair it is ABC123", to="post-1")

    due = due_next(case)
    assert due is not None
    assert due.due_at == world.clock.now() + timedelta(minutes=40)
    assert [(pause.by, pause.ended_by) for pause in case.pauses] == [("Nina", "the customer")]


async def test_two_people_press_approve(world: World) -> None:
    """One reply goes out; the second person is told who was faster."""
    case = await world.write("@auroraair Does a folding bike count as a normal checked bag?")
    await world.approve(case, by="Nina")

    with pytest.raises(Conflict) as lost:
        await world.approve(case, by="Omar")

    assert lost.value.won_by in ("Nina", "heard")
    assert len(world.customer_sees(case)) == 1


async def test_the_customer_writes_again_before_approval(world: World) -> None:
    """The draft answered what she said before: it is retired, and an approval of it does nothing."""
    seen = await world.write("@auroraair Does a folding bike count as a normal checked bag?")
    later = await world.write("@auroraair never mind the bike, is my cat allowed?", to="post-1")

    with pytest.raises(Conflict):
        await world.approve(seen, by="Nina")

    assert later.id == seen.id
    assert [mention.id for mention in later.mentions] == ["post-1", "post-2"]
    assert later.draft is None or later.draft.answers == "x:post-2"
    assert world.customer_sees(later) == []


async def test_a_thank_you_after_the_answer_opens_nothing_new(world: World) -> None:
    """The same case takes it in, and nothing more is owed."""
    case = await world.write("@auroraair Does a folding bike count as a normal checked bag?")
    case = await world.approve(case, by="Nina")
    thanked = await world.write("@auroraair perfect, thanks!", judged=CHATTER, to="post-1")

    assert (thanked.id, thanked.status) == (case.id, Status.IGNORED)
    assert not [promise for promise in thanked.promises if promise.running]


async def test_the_bot_may_not_answer_here(world: World) -> None:
    """She never spoke to the brand, so X would refuse: a person may post by hand, and rule X1 says why."""
    case = await world.write("Aurora Air lost my folding bike?", judged=COMPLAINT, addressed=False)
    case = await world.write_draft(case, ANSWER, by="Nina")

    with pytest.raises(NotAllowedHere) as refused:
        await world.approve(case, by="Nina")
    assert refused.value.rule == "X1"
    assert world.customer_sees(case) == []

    case = await world.line.cases.move(
        case.id, lambda c: moves.post_by_hand(c, by="Nina", at=world.clock.now(), text=ANSWER)
    )
    assert (case.status, case.replies[0].by_hand) == (Status.ANSWERED, True)


async def test_smoke_in_the_cabin_goes_to_the_managers_at_once(world: World) -> None:
    """Whatever the model thinks of the rest: safety is for people, and nothing is ever said automatically."""
    safety = judged(Urgency.CRITICAL, Intent.COMPLAINT, Sentiment.NEGATIVE, topics=(Topic.SAFETY,))
    case = await world.write("@auroraair smoke in the cabin on AU7", judged=safety)

    assert (case.status, case.escalated_to) == (Status.HELD, "managers")
    assert world.customer_sees(case) == []


async def test_stop_means_stop(world: World) -> None:
    """Who asks not to be answered is not answered, not even with what was approved already."""
    case = await world.write("@auroraair Does a folding bike count as a normal checked bag?")
    opt_out = judged(Urgency.LOW, Intent.OTHER, topics=(Topic.OPT_OUT,))
    await world.line.switch.pause("the story")
    await world.approve(case, by="Nina")
    await world.write("@auroraair stop replying to me", judged=opt_out)
    await world.line.switch.resume("the story")
    await world.pass_time(2)

    assert (await world.look(case)).status is Status.HELD
    assert world.customer_sees(case) == []


async def test_the_kill_switch_holds_every_reply(world: World) -> None:
    """While sending is stopped nothing leaves; what was approved goes out afterwards, once."""
    case = await world.write("@auroraair Does a folding bike count as a normal checked bag?")
    await world.line.switch.pause("Mona")
    await world.approve(case, by="Nina")
    await world.pass_time(5)
    assert world.customer_sees(case) == []

    await world.line.switch.resume("Mona")
    await world.pass_time(1)

    assert len(world.customer_sees(case)) == 1


@pytest.mark.timeout(300)
def test_everything_dies_and_nothing_is_lost(tmp_path: Path) -> None:
    """The whole process group is killed three times in the middle of a day: the totals are those of a day
    without a death, no mention is lost and no reply is double.
    """
    day = Path(__file__).parents[2] / "config" / "demo" / "day.jsonl"
    lines = [json.loads(line) for line in day.read_text(encoding="utf-8").splitlines()]
    hour = [line for line in lines if "14:05" <= line["created_at"][11:16] < "14:25"]
    feed = tmp_path / "feed.jsonl"
    feed.write_text("\n".join(json.dumps(line) for line in hour))
    arguments = ["replay", str(feed), "--fast", "--json", "--weather", "lost=0.3,error=0.2"]

    whole = dict(run(arguments, tmp_path / "whole").summary)
    life = float(str(whole.pop("seconds")))
    killed = dict(run(arguments, tmp_path / "killed", lives_s=[0.5 * life, 0.7 * life, 0.6 * life]).summary)
    killed.pop("seconds")

    assert killed == whole
    assert (killed["lost"], killed["duplicate_replies"], killed["received"]) == (0, 0, len(hour))
