"""Where other help desks' clocks went wrong, by the thread that told of it, and what the promise clock does.

Each test is one report from an open issue tracker, played on the moves that the product makes.
"""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from casework import moves
from casework.case import Case, Standing, due_next, standing
from casework.classification import Intent, Urgency
from casework.draft import ReplyKind
from casework.hours import OpeningHours, Span
from casework.pause import FOR_THE_CUSTOMER
from casework.reply import Reply
from casework.sla import Alert, LadderStep, MetBy, Promise, PromisePolicy, Promises, PromiseState, Since
from casework.sla import Warning as EarlyWarning
from tests.fakes.cases import MAY_SEND, a_draft, a_mention, judged

OSLO = ZoneInfo("Europe/Oslo")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
WITH_LUNCH = (Span(time(9), time(12)), Span(time(13), time(18)))
OFFICE = OpeningHours("Europe/Oslo", (WITH_LUNCH,) * 5 + ((), ()))
FIRST_HOUR = PromisePolicy("first hour", HOUR, MetBy.REPLY, opening_clock=True)
SAME_DAY = PromisePolicy("same day", None, MetBy.ANSWER)


def oslo(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant in November 2026, by the clock on the wall in Oslo. The 23rd is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=OSLO).astimezone(UTC)


def heard(at: datetime, *policies: PromisePolicy, hours: OpeningHours = OFFICE) -> Case:
    """A case of one mention, judged as an urgent complaint, under these promises."""
    promises = Promises(policies, hours)
    case = moves.hear(a_mention(created_at=at), case_id="C-1", at=at, promises=promises).case
    return moves.classify(case, judged(), at=at, promises=promises).case


def waiting(case: Case, at: datetime) -> Case:
    """The case with a draft before people."""
    return moves.propose(case, a_draft(), permission=MAY_SEND, rule="r", why="", at=at).case


def owed(case: Case, name: str = "first hour") -> Promise:
    """The last promise of a name."""
    return [promise for promise in case.promises if promise.name == name][-1]


def replied(
    case: Case, at: datetime, promises: Promises, kind: ReplyKind, *, automatic: bool = False
) -> Case:
    """The case once a reply to its last mention was posted."""
    before = drafted_anew(case, at)
    approved = moves.approve(
        before, by="Nina", at=at, draft_sha256=a_draft(answers=case.last.key).sha256
    ).case
    assert approved.outgoing is not None
    decided = replace(approved.outgoing, kind=kind, automatic=automatic, answers=case.last.key)
    sending = moves.begin_sending(replace(approved, outgoing=decided), at=at, look_at=at).case
    return moves.sent(sending, reply_id=f"r-{at}", posted_at=at, at=at, promises=promises).case


def drafted_anew(case: Case, at: datetime) -> Case:
    """The case with a draft that answers its last mention, wherever it stood."""
    proposed = waiting(case, at) if case.status == "classified" else case
    return replace(proposed, draft=a_draft(answers=case.last.key))


def alarms(case: Case, until: datetime, promises: Promises | None = None) -> list[tuple[datetime, Alert]]:
    """Everything that the clock raises until an instant, if it looks exactly when it is asked to."""
    told: list[tuple[datetime, Alert]] = []
    while (wake := case.next_wake()) is not None and wake <= until:
        moved = moves.wake(case, at=wake, promises=promises)
        assert moved is not None, "woken for nothing: the sweep would never come to an end"
        told += [(wake, send.alert) for send in moved.sends if send.alert is not None]
        case = moved.case
    return told


def test_several_spans_a_day() -> None:
    """chatwoot#14009: only one span a day could be given, so lunch counted as work."""
    assert owed(heard(oslo(23, 11, 30), FIRST_HOUR)).due_at == oslo(23, 13, 30)


@pytest.mark.parametrize(("hour", "minute", "due"), [(12, 0, (14, 0)), (12, 59, (14, 0)), (11, 0, (12, 0))])
def test_lunch_breaks(hour: int, minute: int, due: tuple[int, int]) -> None:
    """frappe/helpdesk#2212: what comes in during lunch is counted from its end, and nothing breaks in it."""
    assert owed(heard(oslo(23, hour, minute), FIRST_HOUR)).due_at == oslo(23, *due)


def test_business_hours_are_counted() -> None:
    """Chatwoot PR 13392: Friday 17:30 plus one working hour is Monday 09:30 and not Friday 18:30."""
    assert owed(heard(oslo(27, 17, 30), FIRST_HOUR)).due_at == oslo(30, 9, 30)


def test_a_timer_ends_with_the_case() -> None:
    """chatwoot#10178: the timer of a resolved conversation went on and broke later."""
    case = waiting(heard(oslo(23, 10), FIRST_HOUR, SAME_DAY), oslo(23, 10))
    closed = moves.close(case, by="Nina", at=oslo(23, 10, 5), reason="solved by phone").case

    assert closed.next_wake() is None
    assert closed.promises == ()
    assert moves.wake(closed, at=oslo(24, 10)) is None


def test_a_case_that_is_opened_again_keeps_its_oldest_duty() -> None:
    """chatwoot#10178, the other way: reopening must not hand out a fresh hour."""
    promises = Promises((FIRST_HOUR,), OFFICE)
    case = waiting(heard(oslo(23, 10), FIRST_HOUR), oslo(23, 10))
    closed = moves.close(case, by="Nina", at=oslo(23, 10, 5), reason="spam").case

    reopened = moves.reopen(closed, by="Lea", at=oslo(23, 10, 50), promises=promises).case

    assert owed(reopened).due_at == oslo(23, 11)


def test_nobody_is_woken_at_midnight() -> None:
    """zammad#4432: escalation mails came at 00:00. What breaks at night is told when the quiet hours end."""
    policy = replace(
        FIRST_HOUR,
        opening_clock=False,
        quiet=Span(time(22), time(7)),
        warn_at=(EarlyWarning(share=0.5),),
        ladder=(LadderStep(timedelta(0), "managers"), LadderStep(HOUR, "leads")),
    )
    case = heard(oslo(23, 23), policy)

    assert owed(case).due_at == oslo(24, 0)
    told = alarms(case, oslo(25, 0))
    assert [(at, alert.to) for at, alert in told] == [(oslo(24, 7), "managers"), (oslo(24, 7), "leads")]
    assert moves.as_of(case, oslo(24, 3)).promises[0].state is PromiseState.BREACHED


def test_three_levels_of_escalation() -> None:
    """zammad#2532: owner, backup, managers, and the next; each at its time, until one says "heard"."""
    steps = [(0, "owner"), (15, "backup"), (30, "managers"), (45, "leads")]
    policy = replace(
        FIRST_HOUR, ladder=tuple(LadderStep(minutes * MINUTE, who) for minutes, who in steps), warn_at=()
    )
    case = heard(oslo(23, 9), policy)

    assert [(at, alert.to) for at, alert in alarms(case, oslo(24, 0))] == [
        (oslo(23, 10, minutes), who) for minutes, who in steps
    ]
    woken = moves.wake(case, at=oslo(23, 10, 15))
    assert woken is not None
    hushed = moves.hush(woken.case, by="Mona", at=oslo(23, 10, 20)).case
    assert alarms(hushed, oslo(24, 0)) == []
    assert owed(hushed).acknowledged_by == "Mona"


def test_a_step_is_told_again_until_somebody_heard_it() -> None:
    """zammad#2532: one mail in the night is no escalation."""
    policy = replace(FIRST_HOUR, ladder=(LadderStep(timedelta(0), "managers", every=30 * MINUTE),))
    promises = Promises((policy,), OFFICE)
    case = heard(oslo(23, 9), policy)

    told = alarms(case, oslo(23, 11, 15), promises)

    assert [at for at, _ in told] == [oslo(23, 10), oslo(23, 10, 30), oslo(23, 11)]
    assert len({alert for _, alert in told}) == 3, "two that look the same are shown as one"


@pytest.mark.parametrize(
    ("met_by", "kept_by"),
    [
        (MetBy.REPLY, ["receipt", "acknowledgement", "answer"]),
        (MetBy.HUMAN_REPLY, ["acknowledgement", "answer"]),
        (MetBy.ANSWER, ["answer"]),
    ],
)
def test_which_reply_stops_the_clock(met_by: MetBy, kept_by: list[str]) -> None:
    """zammad#1322, zammad#1620: an automatic receipt stopped the clock of the answer, or a note did."""
    at = oslo(23, 9)
    replies = {
        "receipt": Reply("k", ReplyKind.ACKNOWLEDGEMENT, "r", "", "x:post-1", "heard", at, automatic=True),
        "acknowledgement": Reply("k", ReplyKind.ACKNOWLEDGEMENT, "r", "", "x:post-1", "Nina", at),
        "answer": Reply("k", ReplyKind.ANSWER, "r", "", "x:post-1", "Nina", at),
    }
    promise = owed(heard(at, replace(FIRST_HOUR, met_by=met_by)))

    assert [name for name, reply in replies.items() if promise.kept_by(reply)] == kept_by


def test_a_note_to_colleagues_stops_nothing() -> None:
    """zammad#1620: an internal note counted as the first response."""
    case = heard(oslo(23, 9), FIRST_HOUR)
    noted = moves.note(case, by="Nina", at=oslo(23, 9, 5), text="ask Lea").case
    assert noted.promises == case.promises


def test_the_next_reply_never_overrules_the_first() -> None:
    """zammad#5177: the update time replaced a first response that was due earlier."""
    first = replace(FIRST_HOUR, since=Since.FIRST)
    following = PromisePolicy("next reply", 4 * HOUR, MetBy.ANSWER, since=Since.FOLLOW_UP)
    promises = Promises((first, following), OFFICE)
    case = heard(oslo(23, 9), first, following)

    wrote_again = moves.join(
        case, a_mention(2, created_at=oslo(23, 9, 30)), at=oslo(23, 9, 30), promises=promises
    ).case
    assert [(p.name, p.due_at) for p in wrote_again.promises] == [("first hour", oslo(23, 10))]

    judged_again = moves.classify(wrote_again, judged(), at=oslo(23, 9, 31), promises=promises).case
    answered = replied(judged_again, oslo(23, 9, 40), promises, ReplyKind.ANSWER)
    asked_back = moves.join(
        answered, a_mention(3, created_at=oslo(23, 10)), at=oslo(23, 10), promises=promises
    ).case
    assert owed(asked_back).state is PromiseState.MET
    assert [(p.name, p.due_at) for p in asked_back.promises if p.running] == [("next reply", oslo(23, 14))]


def test_a_move_leaves_no_timer_of_before() -> None:
    """zammad#5624: after a ticket moved to a group with other promises the old timer still escalated."""
    urgent = replace(FIRST_HOUR, urgencies=frozenset({Urgency.HIGH}))
    calm = PromisePolicy("two days", 48 * HOUR, MetBy.REPLY, urgencies=frozenset({Urgency.NORMAL}))
    promises = Promises((urgent, calm), OFFICE)
    case = waiting(heard(oslo(23, 9), urgent, calm), oslo(23, 9))

    moved = moves.relabel(
        case,
        judged(urgency=Urgency.NORMAL, intent=Intent.QUESTION),
        by="Nina",
        at=oslo(23, 9, 30),
        promises=promises,
    ).case

    assert [p.name for p in moved.promises if p.running] == ["two days"]
    assert owed(moved, "two days").started_at == oslo(23, 9), "what it is owed runs from the mention"
    assert alarms(moved, oslo(24, 0)) == []


def test_a_case_that_turns_out_urgent_is_owed_the_hour_from_its_mention() -> None:
    """zammad#5624, the other way: judged anew, it must not begin its hour when somebody noticed."""
    urgent = replace(FIRST_HOUR, urgencies=frozenset({Urgency.HIGH}))
    promises = Promises((urgent,), OFFICE)
    at = oslo(23, 9)
    case = moves.hear(a_mention(created_at=at), case_id="C-1", at=at, promises=promises).case
    case = moves.classify(case, judged(urgency=Urgency.NORMAL), at=at, promises=promises).case
    assert case.promises == ()

    moved = moves.relabel(
        waiting(case, at), judged(urgency=Urgency.HIGH), by="Nina", at=oslo(23, 9, 30), promises=promises
    ).case

    assert owed(moved).due_at == oslo(23, 10)


def test_the_clock_stands_still_while_the_customer_is_waited_for() -> None:
    """objectstack#1310: pausing lost the time that had run, or never went on."""
    promises = Promises((FIRST_HOUR,), OFFICE)
    case = waiting(heard(oslo(23, 9), FIRST_HOUR), oslo(23, 9))

    paused = moves.pause(case, by="Nina", at=oslo(23, 9, 20), reason=FOR_THE_CUSTOMER).case
    assert paused.next_wake() is None
    assert alarms(paused, oslo(30, 0)) == []

    went_on = moves.resume(paused, by="Nina", at=oslo(23, 11, 30), promises=promises).case
    assert owed(went_on).due_at == oslo(23, 13, 10), "40 minutes were left: 30 before lunch, 10 after it"
    assert [(pause.by, pause.ended_by, pause.reason) for pause in went_on.pauses] == [
        ("Nina", "Nina", FOR_THE_CUSTOMER)
    ]


def test_the_customer_who_writes_ends_the_wait() -> None:
    """objectstack#1310: the customer answered and nobody's clock ran."""
    promises = Promises((FIRST_HOUR,), OFFICE)
    case = waiting(heard(oslo(23, 9), FIRST_HOUR), oslo(23, 9))
    paused = moves.pause(case, by="Nina", at=oslo(23, 9, 20), reason=FOR_THE_CUSTOMER).case

    joined = moves.join(
        paused, a_mention(2, created_at=oslo(23, 10)), at=oslo(23, 10), promises=promises
    ).case

    assert joined.pause is None
    assert joined.pauses[-1].ended_by == "the customer"
    assert owed(joined).due_at == oslo(23, 10, 40)
    assert owed(joined).mention == "x:post-1", "it runs from the oldest unanswered mention"


def test_a_pause_mends_nothing_that_is_broken() -> None:
    """objectstack#1310: pausing after the deadline made a late case on time."""
    promises = Promises((FIRST_HOUR,), OFFICE)
    case = waiting(heard(oslo(23, 9), FIRST_HOUR), oslo(23, 9))
    broken = moves.wake(case, at=oslo(23, 10), promises=promises)
    assert broken is not None

    paused = moves.pause(broken.case, by="Nina", at=oslo(23, 10, 5), reason=FOR_THE_CUSTOMER).case
    went_on = moves.resume(paused, by="Nina", at=oslo(23, 11), promises=promises).case

    assert owed(went_on) == owed(broken.case)


@pytest.mark.parametrize("told_at", [oslo(23, 9, 30), oslo(23, 10)])
@pytest.mark.parametrize("wrong", ["as it begins", "as it ends"])
def test_a_pause_by_a_clock_that_was_set_back_raises_nothing_again(told_at: datetime, wrong: str) -> None:
    """A machine an hour behind counts from before what people were told: a warning, or the breach."""
    policy, back = replace(FIRST_HOUR, warn_at=(EarlyWarning(share=0.5),)), timedelta(hours=1)
    promises = Promises((policy,), OFFICE)
    case = waiting(heard(oslo(23, 9), policy), oslo(23, 9))
    told = moves.wake(case, at=told_at, promises=promises)
    assert told is not None
    begins, ends = told_at + timedelta(minutes=5), told_at + timedelta(minutes=10)

    paused = moves.pause(
        told.case,
        by="Nina",
        at=begins - (back if wrong == "as it begins" else timedelta(0)),
        reason=FOR_THE_CUSTOMER,
    ).case
    went_on = moves.resume(
        paused, by="Nina", at=ends - (back if wrong == "as it ends" else timedelta(0)), promises=promises
    ).case

    assert owed(went_on).state is owed(told.case).state
    assert len(owed(went_on).warn_at) == len(owed(told.case).warn_at)
    assert moves.wake(went_on, at=ends, promises=promises) is None


def test_a_pause_after_a_clock_ran_ahead_mends_nothing() -> None:
    """It said that a promise was broken, an hour too soon; set right, it must not say so again."""
    promises = Promises((FIRST_HOUR,), OFFICE)
    case = waiting(heard(oslo(23, 9), FIRST_HOUR), oslo(23, 9))
    broken = moves.wake(case, at=oslo(23, 10, 10), promises=promises)
    assert broken is not None

    paused = moves.pause(broken.case, by="Nina", at=oslo(23, 9, 11), reason=FOR_THE_CUSTOMER).case
    went_on = moves.resume(paused, by="Nina", at=oslo(23, 9, 20), promises=promises).case

    assert owed(went_on) == owed(broken.case)


def test_what_is_owed_for_a_later_mention_outlives_a_reply_to_an_earlier_one() -> None:
    """It was written while the answer was in flight: its warning was raised, and is not raised again."""
    policy = replace(FIRST_HOUR, warn_at=(EarlyWarning(share=0.5),))
    promises = Promises((policy,), OFFICE)
    case = waiting(heard(oslo(23, 9), policy), oslo(23, 9))
    first = moves.approve(case, by="Nina", at=oslo(23, 9, 1), draft_sha256=a_draft().sha256).case
    begun = moves.begin_sending(first, at=oslo(23, 9, 1), look_at=oslo(23, 9, 2)).case
    kept = replace(begun, promises=tuple(promise.settle(oslo(23, 9, 1)) for promise in begun.promises))
    later = a_mention(2, created_at=oslo(23, 9, 5))
    joined = moves.join(kept, later, at=oslo(23, 9, 5), promises=promises).case
    warned = moves.wake(replace(joined, look_at=None), at=oslo(23, 9, 40), promises=promises)
    assert warned is not None

    sent = moves.sent(
        warned.case, reply_id="1", posted_at=oslo(23, 9, 41), at=oslo(23, 9, 41), promises=promises
    ).case

    assert owed(sent) == owed(warned.case)
    assert owed(sent).mention == later.key
    assert moves.wake(sent, at=oslo(23, 9, 42), promises=promises) is None


def test_a_snooze_stops_no_promise_and_says_what_it_passes() -> None:
    """DESIGN §6: resting is for people; the customer waits all the same."""
    case = waiting(heard(oslo(23, 9), FIRST_HOUR), oslo(23, 9))
    snoozed = moves.snooze(case, by="Nina", at=oslo(23, 9, 5), until=oslo(23, 10, 30))

    assert snoozed.case.promises == case.promises
    assert snoozed.timeline[0].detail.endswith("past the promise first hour")
    assert [alert.state for _, alert in alarms(snoozed.case, oslo(23, 10))] == [PromiseState.BREACHED]


def test_a_changed_policy_counts_anew_what_is_owed() -> None:
    """What is owed is counted by what the brand promises now, and the timeline says so; alarms once."""
    warned = replace(FIRST_HOUR, warn_at=(EarlyWarning(share=0.5),))
    case = heard(oslo(23, 9), warned)
    at_risk = moves.wake(case, at=oslo(23, 9, 30))
    assert at_risk is not None

    half = Promises((replace(warned, within=30 * MINUTE),), OFFICE)
    twice = Promises((replace(warned, within=2 * HOUR),), OFFICE)
    tightened = moves.recount(at_risk.case, at=oslo(23, 9, 31), promises=half, why="tightened")
    loosened = moves.recount(at_risk.case, at=oslo(23, 9, 31), promises=twice, why="loosened")

    assert tightened is not None
    assert tightened.timeline[0].detail == f"tightened: first hour due {oslo(23, 9, 30).isoformat()}"
    assert [alert.state for _, alert in alarms(tightened.case, oslo(24, 0))] == [PromiseState.BREACHED]
    assert loosened is not None
    assert owed(loosened.case).state is PromiseState.OPEN
    assert [at for at, _ in alarms(loosened.case, oslo(23, 10, 30))] == [oslo(23, 10)]
    assert moves.recount(loosened.case, at=oslo(23, 9, 32), promises=twice, why="again") is None


def test_a_new_promise_breaks_nothing_that_was_never_promised() -> None:
    """A promise that would be broken at once is not made to those who wait already."""
    case = heard(oslo(23, 9), SAME_DAY)
    both = Promises((SAME_DAY, FIRST_HOUR), OFFICE)

    assert moves.recount(case, at=oslo(23, 10, 30), promises=both, why="new") is None
    in_time = moves.recount(case, at=oslo(23, 9, 30), promises=both, why="new")
    assert in_time is not None
    assert owed(in_time.case).due_at == oslo(23, 10)


def test_the_day_of_a_customer_elsewhere_ends_at_their_midnight() -> None:
    """A brand in Oslo that promises Americans the same day means theirs."""
    theirs = replace(SAME_DAY, timezone="America/New_York")
    assert owed(heard(oslo(23, 10), SAME_DAY), "same day").due_at == oslo(24, 0)
    assert owed(heard(oslo(23, 10), theirs), "same day").due_at == oslo(24, 6)


def test_what_waits_for_the_customer_is_not_due() -> None:
    """Nobody is shown a deadline that stands still; one that is broken stays in sight."""
    case = waiting(heard(oslo(23, 9), FIRST_HOUR), oslo(23, 9))
    paused = moves.pause(case, by="Nina", at=oslo(23, 9, 20), reason=FOR_THE_CUSTOMER).case
    broken = moves.wake(case, at=oslo(23, 10))
    assert broken is not None
    paused_late = moves.pause(broken.case, by="Nina", at=oslo(23, 11), reason=FOR_THE_CUSTOMER).case

    assert due_next(case) is not None
    assert due_next(paused) is None
    assert due_next(paused_late) == owed(broken.case)
    assert standing(paused_late) is Standing.LATE
