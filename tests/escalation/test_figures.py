"""Figures: each against the same number worked out another way, and "why late" against what happened."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from casework import moves
from casework.case import Case, Moved, Status
from casework.classification import Intent, Sentiment, Urgency
from casework.draft import ReplyKind
from casework.reply import Outgoing, Permission, Way
from casework.sla import PromiseState, raise_due
from casework.timeline import TimelineEntry
from escalation.figures import Cause, DraftFigure, Figures, figures, late_because, share, why_late, will_break
from tests.fakes.cases import FIRST_HOUR, MINUTE, NOON, PROMISES, SAME_DAY, a_draft, a_mention, judged

DAY = timedelta(days=1)
MIDNIGHT = NOON.replace(hour=0)
Story = tuple[Case, list[TimelineEntry]]


def story(
    *steps: Callable[[Case], Moved], number: int = 1, at: datetime = NOON, labels: object = None
) -> Story:
    """A case that was heard, judged and given a draft at an instant, then moved by these steps."""
    mention = replace(a_mention(), id=f"post-{number}", created_at=at)
    moved = moves.hear(mention, case_id=f"C-{number}", at=at, promises=PROMISES)
    timeline = [*moved.timeline]
    draft = a_draft(answers=mention.key)
    first: Sequence[Callable[[Case], Moved]] = (
        lambda c: moves.classify(c, labels or judged(), at=at, promises=PROMISES),  # type: ignore[arg-type]
        lambda c: moves.propose(c, draft, permission=Permission(Way.SEND), rule="", why="", at=at),
    )
    case = moved.case
    for step in (*first, *steps):
        moved = step(case)
        case, timeline = moved.case, [*timeline, *moved.timeline]
    return case, timeline


def answer(at: datetime, *, by: str = "Nina") -> tuple[Callable[[Case], Moved], ...]:
    """Approved, sent and posted, all at one instant."""
    return (
        lambda c: moves.approve(c, by=by, at=at, draft_sha256=c.draft.sha256 if c.draft else ""),
        lambda c: moves.begin_sending(c, at=at, look_at=at + MINUTE),
        lambda c: moves.sent(c, reply_id=f"r-{c.id}", posted_at=at, at=at, promises=PROMISES),
    )


def edit(at: datetime) -> Callable[[Case], Moved]:
    return lambda c: moves.edit(c, by="Nina", at=at, text="Mine", draft_id=f"{c.id}-edit-{c.version + 1}")


def acknowledge(at: datetime) -> tuple[Callable[[Case], Moved], ...]:
    """The bot says by itself that it was seen."""

    def decide(case: Case) -> Moved:
        outgoing = Outgoing(
            "ack", ReplyKind.ACKNOWLEDGEMENT, "Seen", case.last.key, "heard", at, automatic=True
        )
        judged_again = replace(case, status=Status.CLASSIFIED)
        return moves.acknowledge(
            judged_again, outgoing, draft=case.draft, permission=Permission(Way.SEND), rule="", why="", at=at
        )

    return (decide, *answer(at)[1:])


def counted(
    stories: Sequence[Story], *, since: datetime = MIDNIGHT, now: datetime = MIDNIGHT + DAY
) -> Figures:
    return figures(
        (case for case, _ in stories),
        PROMISES.policies,
        since=since,
        until=since + DAY,
        now=now,
        timelines={case.id: timeline for case, timeline in stories},
    )


@pytest.fixture(scope="module")
def a_day() -> list[Story]:
    """Two hundred cases of a day and the evening before, by chance."""
    dice, stories = random.Random(3), []
    for number in range(200):
        at = MIDNIGHT - 4 * 60 * MINUTE + timedelta(seconds=dice.randrange(26 * 3600))
        labels = judged(
            dice.choice([Urgency.LOW, Urgency.NORMAL, Urgency.HIGH]),
            dice.choice(list(Intent)),
            dice.choice(list(Sentiment)),
            topics=tuple(dice.sample(["refund", "baggage", "app login"], dice.randrange(3))),
        )
        then = at + timedelta(seconds=dice.randrange(60, 40 * 3600))
        soon = at + timedelta(seconds=dice.randrange(60, 5_000))
        kind = dice.randrange(6)
        steps: Sequence[Callable[[Case], Moved]] = (
            (),
            answer(soon),
            (edit(soon), *answer(soon + MINUTE)),
            (lambda c, t=soon: moves.reject(c, by="Ola", at=t, reason="tone"),),
            (*acknowledge(soon), *answer(max(then, soon + MINUTE))),
            answer(then),
        )[kind]
        stories.append(story(*steps, number=number + 1, at=at, labels=labels))
    return stories


def test_promises_are_counted_as_they_were_kept_or_fell_due(a_day: list[Story]) -> None:
    """Worked out from the mentions and replies alone, without the promises' own bookkeeping."""
    now = MIDNIGHT + DAY
    day = counted(a_day, now=now)
    expected = {"first hour": [0, 0, 0], "same day": [0, 0, 0]}
    for case, _ in a_day:
        if case.classification is None or case.classification.urgency is Urgency.LOW:
            continue
        heard = case.mentions[0].created_at
        midnight = heard.replace(hour=0, minute=0, second=0) + DAY
        answers = [r.posted_at for r in case.replies if r.kind is ReplyKind.ANSWER]
        replies = [r.posted_at for r in case.replies]
        for name, due, kept in (
            ("first hour", heard + 60 * MINUTE, replies),
            ("same day", midnight, answers),
        ):
            tally = expected[name]
            if kept and min(kept) < due:
                tally[0] += MIDNIGHT <= min(kept) < now
            elif due <= now:
                tally[1] += MIDNIGHT <= due < now
                tally[2] += not kept
    assert [(p.name, p.kept, p.missed, p.late) for p in day.promises] == [
        (name, *tally) for name, tally in expected.items()
    ]
    assert min(min(tally) for tally in expected.values()) > 0
    assert [p.target for p in day.promises] == [FIRST_HOUR.target, SAME_DAY.target]


def test_waits_are_of_the_first_replies_of_the_day(a_day: list[Story]) -> None:
    first = [
        (case.replies[0].posted_at - case.mentions[0].created_at).total_seconds()
        for case, _ in a_day
        if case.replies and MIDNIGHT <= case.replies[0].posted_at < MIDNIGHT + DAY
    ]
    first.sort()
    half = len(first) // 2
    middle = first[half] if len(first) % 2 else (first[half - 1] + first[half]) / 2
    day = counted(a_day)
    assert day.wait == timedelta(seconds=middle)
    assert day.wait_p90 is not None
    within = sum(seconds <= day.wait_p90.total_seconds() for seconds in first)
    assert within - 1 < 0.9 * len(first) <= within


def test_moods_and_topics_count_the_mentions_of_the_day(a_day: list[Story]) -> None:
    day = counted(a_day)
    today = [case for case, _ in a_day if MIDNIGHT <= case.mentions[0].created_at < MIDNIGHT + DAY]
    assert day.mentions == len(today)
    for feeling in Sentiment:
        of = [case for case in today if case.classification and case.classification.sentiment is feeling]
        assert day.moods[feeling] == len(of)
        assert day.mood(feeling) == len(of) / len(today)
    rows = {row.name: row for row in day.topics}
    for name in ("refund", "churn"):
        labels = [case.classification for case in today if case.classification]
        of_it = [one for one in labels if name in one.topics or one.intent == name]
        assert rows[name].mentions == len(of_it)
        assert rows[name].negative == sum(one.sentiment is Sentiment.NEGATIVE for one in of_it)
    assert [row.mentions for row in day.topics] == sorted((row.mentions for row in day.topics), reverse=True)


def test_missed_names_each_case_once_the_earliest_first(a_day: list[Story]) -> None:
    day = counted(a_day)
    expected = {
        case.id: min(broke)
        for case, _ in a_day
        if (broke := [p.due_at for p in case.promises if _fell_due(p.due_at, p.settled_at)])
    }
    assert list(day.missed) == sorted(expected, key=lambda case_id: (expected[case_id], case_id))


def _fell_due(due: datetime, settled: datetime | None) -> bool:
    return MIDNIGHT <= due < MIDNIGHT + DAY and (settled is None or settled >= due)


def test_drafts_are_counted_as_sent_unchanged_edited_or_rejected() -> None:
    at = NOON + MINUTE
    stories = [
        story(*answer(at), number=1),
        story(edit(at), *answer(at), number=2),
        story(lambda c: moves.reject(c, by="Ola", at=at, reason="tone"), number=3),
        story(lambda c: moves.post_by_hand(c, by="Ola", at=at, text="Mine"), number=4),
        story(*acknowledge(at), number=5),
        story(*answer(at + 2 * DAY), number=6),
    ]
    day = counted(stories, now=NOON + 3 * DAY)
    assert day.drafts == DraftFigure(unchanged=1, edited=1, rejected=1)
    assert day.automatic == 1


def test_what_stands_open_late_and_at_risk_is_as_of_now_though_the_clock_stood_still() -> None:
    now = NOON + 90 * MINUTE
    stories = [
        story(number=1),  # due an hour after noon: late
        story(number=2, at=now - 40 * MINUTE),  # past half of its hour: at risk
        story(number=3, at=now - 5 * MINUTE),
        story(*answer(now), number=4, at=now - 5 * MINUTE),
        story(number=5, at=now, labels=judged(Urgency.LOW)),
    ]
    day = counted(stories, now=now)
    assert (day.open, day.late, day.at_risk) == (4, 1, 1)
    assert [(p.owed, p.late) for p in day.promises] == [(3, 1), (3, 0)]


@pytest.mark.parametrize("answered", [0, 1, 2, 4, 12])
def test_the_forecast_is_what_happens_if_people_go_on_as_they_do(answered: int) -> None:
    """A simulation: one case after the other, the first due first, each taking its share of an hour."""
    now = NOON + 3 * 60 * MINUTE
    waiting = [story(number=n, at=now - (62 - 7 * n) * MINUTE)[0] for n in range(1, 9)]
    done = [
        story(*answer(now - 3 * n * MINUTE), number=20 + n, at=now - 60 * MINUTE)[0] for n in range(answered)
    ]
    late = story(number=50, at=now - 65 * MINUTE)[0]
    cases = [*waiting, *done, late]
    queue, clock, broken = sorted([*waiting, late], key=lambda c: c.opened_at), now, 0
    for case in queue:
        clock = clock + 60 * MINUTE / answered if answered else now + DAY
        due = case.opened_at + 60 * MINUTE
        broken += due > now and due <= now + 60 * MINUTE and clock >= due
    assert will_break(cases, now) == broken


def test_automatic_replies_are_nobodys_pace() -> None:
    now = NOON + 30 * MINUTE
    acknowledged = [story(*acknowledge(now), number=number)[0] for number in range(2, 8)]
    assert will_break([*acknowledged, story(number=1)[0]], now) == 1


@pytest.mark.parametrize(("answered", "expected"), [(1, 1), (2, 1), (3, 0)])
def test_a_reply_at_the_very_instant_it_is_due_is_too_late(answered: int, expected: int) -> None:
    now = NOON + 30 * MINUTE
    done = [story(*answer(now), number=20 + n)[0] for n in range(answered)]
    assert will_break([*done, story(number=1)[0]], now) == expected


def test_nine_of_ten_waits_are_within_the_ninth() -> None:
    ten = [story(*answer(NOON + number * MINUTE), number=number) for number in range(1, 11)]
    assert counted(ten).wait_p90 == 9 * MINUTE


def test_small_groups_have_no_percentage() -> None:
    assert share(2, 4) is None
    assert share(2, 5) == 0.4
    few = counted([story(*answer(NOON + MINUTE), number=n) for n in range(1, 5)])
    assert few.promises[0].kept == 4
    assert few.promises[0].share is None
    assert few.mood(Sentiment.NEGATIVE) is None
    assert all(row.negative_share is None for row in few.topics)


def test_nothing_at_all_has_figures_too() -> None:
    nothing = counted([])
    assert (nothing.mentions, nothing.wait, nothing.wait_p90, nothing.topics, nothing.missed) == (
        0,
        None,
        None,
        (),
        (),
    )
    assert nothing.promises[0].share is None


# ── why late ─────────────────────────────────────────────────────────────────────────────────────


def late(story_of: Story) -> Story:
    """The same once its first hour is over."""
    case, timeline = story_of
    gone = tuple(raise_due(promise, NOON + 70 * MINUTE)[0] for promise in case.promises)
    return replace(case, promises=gone), timeline


def at(minutes: int) -> datetime:
    return NOON + minutes * MINUTE


def partly(minutes: int) -> Callable[[Case], Moved]:
    return lambda c: moves.approve(
        c, by="Ola", at=at(minutes), draft_sha256=c.draft.sha256 if c.draft else "", needed=2
    )


SENDING = (*answer(at(20))[:1], lambda c: moves.begin_sending(c, at=at(20), look_at=at(21)))


@pytest.mark.parametrize(
    ("steps", "cause", "words"),
    [
        ((), Cause.NEVER_OPENED, "never opened"),
        ((lambda c: moves.note(c, by="Ola", at=at(5), text="hm"),), Cause.NEVER_OPENED, "never opened"),
        (
            (lambda c: moves.take(c, by="Nina", at=at(25)),),
            Cause.IDLE,
            "Nina has had it since 35 min before it was due",
        ),
        (
            (lambda c: moves.take(c, by="Ola", at=at(25), to="Nina"),),
            Cause.IDLE,
            "Nina has had it since 35 min before it was due",
        ),
        (
            (
                lambda c: moves.take(c, by="Nina", at=at(5)),
                lambda c: moves.take(c, by="Nina", at=at(25)),
            ),
            Cause.IDLE,
            "Nina was still on it 35 min before it was due",
        ),
        (
            (
                lambda c: moves.take(c, by="Nina", at=at(5)),
                lambda c: moves.release_case(c, by="heard", at=at(30)),
            ),
            Cause.IDLE,
            "nobody has had it since 30 min before it was due",
        ),
        (
            (lambda c: moves.snooze(c, by="Nina", at=at(30), until=at(90)),),
            Cause.SNOOZED,
            "snoozed by Nina 30 min before it was due",
        ),
        (
            (*SENDING, lambda c: moves.refuse(c, at=at(21), why="403")),
            Cause.REFUSED,
            "X refused the reply 39 min before it was due",
        ),
        (
            (*SENDING, lambda c: moves.wait_its_turn(c, at=at(21), why="429", until=at(80))),
            Cause.WAITED,
            "approved, but X did not take the reply in time",
        ),
        ((partly(40),), Cause.SECOND_APPROVAL, "Ola approved it; approval 1 of 2 is all it got"),
        ((edit(at(55)),), Cause.WORKED_ON, "worked on by Nina, last 5 min before it was due"),
        ((edit(at(65)),), Cause.NEVER_OPENED, "never opened"),
        (
            (*SENDING, lambda c: moves.refuse(c, at=at(21), why="403"), edit(at(30))),
            Cause.WORKED_ON,
            "worked on by Nina, last 30 min before it was due",
        ),
    ],
)
def test_why_late_is_worked_out_from_what_happened(
    steps: Sequence[Callable[[Case], Moved]], cause: Cause, words: str
) -> None:
    case, timeline = late(story(*steps))
    because = late_because(case, timeline)
    assert because is not None
    assert (because.cause, because.words) == (cause, words)
    assert why_late(case, timeline) == words


def test_a_case_that_slack_did_not_show_says_so_unless_somebody_had_it_all_the_same() -> None:
    case, timeline = late(story())
    assert why_late(case, timeline, undelivered="not_in_channel") == "not delivered to Slack: not_in_channel"
    case, timeline = late(story(lambda c: moves.take(c, by="Nina", at=at(25))))
    assert why_late(case, timeline, undelivered="not_in_channel").startswith("Nina has had it")


def test_what_was_heard_after_it_was_due_is_nobodys_fault() -> None:
    mention = a_mention(created_at=NOON - 2 * 60 * MINUTE)
    moved = moves.hear(mention, case_id="C-1", at=NOON, promises=PROMISES)
    woken = moves.wake(moved.case, at=NOON)
    assert woken is not None
    assert why_late(woken.case, moved.timeline) == "heard of only after it was due"


def test_what_is_not_late_has_no_reason() -> None:
    assert why_late(*story()) == ""


def test_a_late_reply_still_has_its_reason() -> None:
    case, timeline = story(*answer(at(75)))
    assert case.promises[0].state is PromiseState.BREACHED
    assert why_late(case, timeline) == "never opened"


def test_warnings_alone_change_nothing() -> None:
    case, timeline = story(lambda c: moves.wake(c, at=at(31)) or pytest.fail("nothing was due"))
    assert why_late(*late((case, timeline))) == "never opened"
