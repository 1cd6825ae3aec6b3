"""The table: every status times every move, and what each move leaves behind."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from casework import moves
from casework.case import DONE, IN_FLIGHT, LEGAL, OPEN, WITH_PEOPLE, Case, Move, Moved, Status, Topic
from casework.classification import Intent, Urgency
from casework.draft import ReplyKind
from casework.errors import IllegalMove, NotAllowedHere, TextChanged
from casework.pause import Pause
from casework.reply import Outgoing, Reply
from casework.sla import Alert, PromiseState
from tests.fakes.cases import (
    BY_HAND,
    MARKS,
    MAY_SEND,
    MINUTE,
    NOON,
    PROMISES,
    a_draft,
    a_mention,
    approved,
    classified,
    drafted,
    heard,
    in_status,
    judged,
    sending,
)

SHA = a_draft().sha256
ACK = Outgoing(
    key="C-100:ack",
    kind=ReplyKind.ACKNOWLEDGEMENT,
    text="We have seen it.",
    answers="x:post-1",
    decided_by="heard",
    decided_at=NOON,
    automatic=True,
)
ALERT = Alert("first hour", PromiseState.BREACHED, NOON, "managers")
HOUR = 60 * MINUTE
LATER = NOON + 5 * MINUTE


TWICE_AS_LONG = replace(PROMISES, policies=tuple(replace(one, within=2 * HOUR) for one in PROMISES.policies))


def paused(case: Case) -> Case:
    """The same case, waiting for the customer since noon."""
    return replace(case, pauses=(Pause(since=NOON, reason="waiting for the customer", by="Nina"),))


def answered_by_us(case: Case) -> Case:
    """The same case with one reply of ours on the platform."""
    reply = Reply("k", ReplyKind.ANSWER, "r-1", "Hi!", case.last.key, "Nina", NOON)
    return replace(case, replies=(reply,))


MOVES: dict[Move, Callable[[Case], Moved | None]] = {
    Move.JOIN: lambda c: moves.join(c, a_mention(2), at=LATER, promises=PROMISES),
    Move.CLASSIFY: lambda c: moves.classify(c, judged(), at=LATER, promises=PROMISES),
    Move.RELABEL: lambda c: moves.relabel(c, judged(), by="Nina", at=LATER, promises=PROMISES),
    Move.IGNORE: lambda c: moves.ignore(c, rule="chatter", why="nothing to say", at=LATER),
    Move.ACKNOWLEDGE: lambda c: moves.acknowledge(
        c, ACK, draft=None, permission=MAY_SEND, rule="r", why="", at=LATER
    ),
    Move.DRAFT: lambda c: moves.propose(c, a_draft(), permission=MAY_SEND, rule="r", why="", at=LATER),
    Move.HOLD: lambda c: moves.hold(c, permission=MAY_SEND, rule="r", why="unsure", at=LATER),
    Move.APPROVE: lambda c: moves.approve(c, by="Nina", at=LATER, draft_sha256=SHA),
    Move.EDIT: lambda c: moves.edit(c, by="Nina", at=LATER, text="Hi!", draft_id="draft-2"),
    Move.REJECT: lambda c: moves.reject(c, by="Nina", at=LATER, reason="tone"),
    Move.TAKE: lambda c: moves.take(c, by="Nina", at=LATER),
    Move.RELEASE: lambda c: moves.release_case(replace(c, owner="Nina"), by="Nina", at=LATER),
    Move.SNOOZE: lambda c: moves.snooze(c, by="Nina", at=LATER, until=LATER + MINUTE),
    Move.PAUSE: lambda c: moves.pause(c, by="Nina", at=LATER, reason="waiting for the customer"),
    Move.RESUME: lambda c: moves.resume(paused(c), by="Nina", at=LATER, promises=PROMISES),
    Move.RECOUNT: lambda c: moves.recount(c, at=LATER, promises=TWICE_AS_LONG, why="the brand says so"),
    Move.CLOSE: lambda c: moves.close(c, by="Nina", at=LATER, reason="solved by phone"),
    Move.NOTE: lambda c: moves.note(c, by="Nina", at=LATER, text="called her"),
    Move.REOPEN: lambda c: moves.reopen(c, by="Nina", at=LATER, promises=PROMISES),
    Move.ESCALATE: lambda c: moves.escalate(c, by="Nina", at=LATER, to="managers", reason="legal"),
    Move.POST_BY_HAND: lambda c: moves.post_by_hand(c, by="Nina", at=LATER, text="Hi!"),
    Move.BEGIN_SENDING: lambda c: moves.begin_sending(c, at=LATER, look_at=LATER + MINUTE),
    Move.STOP_SENDING: lambda c: moves.stop_sending(c, at=LATER, why="edited"),
    Move.SENT: lambda c: moves.sent(c, reply_id="r-1", posted_at=LATER, at=LATER, promises=PROMISES),
    Move.REFUSE: lambda c: moves.refuse(c, at=LATER, why="403"),
    Move.LOSE_TRACK: lambda c: moves.lose_track(c, at=LATER, why="timeout", look_at=LATER + MINUTE),
    Move.WAIT: lambda c: moves.wait_its_turn(c, at=LATER, why="429", until=LATER + MINUTE),
    Move.ASK_BACK: lambda c: moves.ask_back(answered_by_us(c), by="Nina", at=LATER, reply_id="r-1"),
    Move.TAKE_BACK: lambda c: moves.take_back(
        replace(answered_by_us(c), taking_back="r-1"), at=LATER, promises=PROMISES
    ),
    Move.RESEND: lambda c: moves.resend(c, at=LATER, look_at=LATER + MINUTE),
    Move.WAKE: lambda c: moves.wake(c, at=NOON + 31 * MINUTE),
    Move.TELL: lambda c: moves.tell(c, ALERT, at=LATER, where="desk"),
    Move.HUSH: lambda c: moves.hush(c, by="Mona", at=LATER),
    Move.AMEND: lambda c: moves.amend(c, mention_key="x:post-1", text="Found it!", at=LATER),
    Move.WITHDRAW: lambda c: moves.withdraw(c, mention_key="x:post-1", at=LATER),
    Move.EXPIRE: lambda c: moves.expire(c, at=LATER, why="kept for 30 days", marks=MARKS),
    Move.ERASE: lambda c: moves.erase(c, by="Mona", at=LATER, marks=MARKS),
}


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("move", list(MOVES))
def test_every_move_is_made_or_refused_as_the_table_says(status: Status, move: Move) -> None:
    """A legal move adds one version and one timeline entry; an illegal one changes nothing and says why."""
    case = in_status(status)

    if status not in LEGAL[move]:
        with pytest.raises(IllegalMove, match=f"is {status}"):
            MOVES[move](case)
        return

    moved = MOVES[move](case)
    assert moved is not None
    assert case.version == moved.was
    assert case.version + 1 == moved.case.version
    assert [move] == [entry.what for entry in moved.timeline]
    assert move == moved.case.moved


def test_the_table_names_every_move() -> None:
    """No move is missing from the table of what is legal, nor from this test."""
    assert set(Move) == set(LEGAL)
    assert set(Move) == {Move.HEAR, *MOVES}


def test_statuses_are_open_or_done() -> None:
    """Every status either waits for somebody or is done; people and the sender only see open ones."""
    assert set(Status) == OPEN | DONE
    assert not OPEN & DONE
    assert WITH_PEOPLE < OPEN
    assert IN_FLIGHT < OPEN


def test_a_heard_mention_opens_a_case_that_is_promised_everything() -> None:
    """Before anybody has judged it, silence must not hide it: every promise runs."""
    moved = moves.hear(a_mention(), case_id="C-100", at=LATER, promises=PROMISES)

    assert moved.case.status == Status.NEW
    assert [promise.name for promise in moved.case.promises] == ["first hour", "same day"]
    assert {NOON} == {promise.started_at for promise in moved.case.promises}
    assert [send.topic for send in moved.sends] == [Topic.MENTIONS]
    assert moved.heard == "x:post-1"


def test_a_clock_in_the_future_buys_no_time() -> None:
    """A promise runs from when a mention was heard if it claims to be written later."""
    moved = moves.hear(a_mention(30), case_id="C-100", at=NOON, promises=PROMISES)

    assert {NOON} == {promise.started_at for promise in moved.case.promises}


def test_chatter_is_owed_nothing() -> None:
    """A judgement of low urgency drops the promises that a reply would have kept."""
    case = classified(judged(urgency=Urgency.LOW, intent=Intent.OTHER))

    assert case.promises == ()


def test_thanks_does_not_end_the_duty_to_answer_the_complaint_before_it() -> None:
    """A follow-up that needs no reply leaves the unanswered mention's judgement and promises standing."""
    case = moves.join(drafted(), a_mention(2, "thanks"), at=LATER, promises=PROMISES).case
    case = moves.classify(case, judged(Urgency.LOW, Intent.PRAISE), at=LATER, promises=PROMISES).case

    assert case.classification is not None
    assert case.classification.urgency == Urgency.HIGH
    assert len(case.promises) == 2


def test_a_second_mention_retires_the_draft_and_keeps_the_deadline() -> None:
    """A draft proposes an answer to the customer's last mention only; the oldest duty stays."""
    before = drafted()
    moved = moves.join(before, a_mention(2), at=LATER, promises=PROMISES)

    assert moved.case.status == Status.NEW
    assert moved.case.draft is None
    assert before.promises == moved.case.promises
    assert [send.topic for send in moved.sends] == [Topic.MENTIONS]


def test_a_second_mention_while_a_reply_is_in_flight_waits_for_it() -> None:
    """The case stays in flight; once sent, it comes up again with promises of its own."""
    joined = moves.join(sending(), a_mention(2), at=LATER, promises=PROMISES).case
    moved = moves.sent(joined, reply_id="r-1", posted_at=LATER, at=LATER, promises=PROMISES)

    assert joined.status == Status.SENDING
    assert moved.case.status == Status.NEW
    assert [send.topic for send in moved.sends] == [Topic.MENTIONS]
    running = [promise for promise in moved.case.promises if promise.running]
    assert {NOON + MINUTE} == {promise.started_at for promise in running}


def test_an_approval_covers_only_the_text_that_was_read() -> None:
    """Another fingerprint than the present draft's is refused (T5)."""
    with pytest.raises(TextChanged):
        moves.approve(drafted(), by="Nina", at=LATER, draft_sha256="0" * 64)


def test_an_approval_is_refused_where_the_platform_forbids_the_reply() -> None:
    """The refusal names the rule, so that the desk can offer to post by hand."""
    case = replace(drafted(), permission=BY_HAND)

    with pytest.raises(NotAllowedHere, match="X1"):
        moves.approve(case, by="Nina", at=LATER, draft_sha256=SHA)


@pytest.mark.parametrize("move", [Move.APPROVE, Move.REJECT])
def test_there_must_be_a_draft_to_decide_on(move: Move) -> None:
    """Approving or rejecting nothing is refused."""
    with pytest.raises(IllegalMove, match="without a draft"):
        MOVES[move](replace(drafted(), draft=None))


def test_an_acknowledgement_meets_the_first_hour_and_not_the_same_day() -> None:
    """A hollow acknowledgement never hides an unanswered customer."""
    case = moves.acknowledge(
        classified(), ACK, draft=a_draft(), permission=MAY_SEND, rule="r", why="", at=NOON
    ).case
    case = moves.begin_sending(case, at=NOON, look_at=LATER).case
    case = moves.sent(case, reply_id="r-1", posted_at=LATER, at=LATER, promises=PROMISES).case

    assert case.status == Status.ACKNOWLEDGED
    assert [promise.state for promise in case.promises] == [PromiseState.MET, PromiseState.OPEN]
    assert case.draft is not None


def test_an_answer_meets_both_promises() -> None:
    """Nothing is owed after an answer, and nothing wakes the clock."""
    case = moves.sent(sending(), reply_id="r-1", posted_at=LATER, at=LATER, promises=PROMISES).case

    assert case.status == Status.ANSWERED
    assert {PromiseState.MET} == {promise.state for promise in case.promises}
    assert case.next_wake() is None


def test_the_outbox_is_written_before_anything_leaves() -> None:
    """The intent has the bytes, the key, the attempt's time and when to look."""
    case = sending()

    assert case.outgoing is not None
    assert (case.outgoing.key, case.outgoing.attempts, case.outgoing.started_at) == ("C-100:draft-1", 1, NOON)
    assert NOON + MINUTE == case.look_at == case.next_wake()


def test_a_resend_is_the_same_reply() -> None:
    """Only the attempt's number and time change: the same bytes, the same key."""
    before = sending()
    after = moves.resend(before, at=LATER, look_at=LATER + MINUTE).case

    assert before.outgoing is not None
    assert replace(before.outgoing, attempts=2, started_at=LATER) == after.outgoing


def test_snoozing_past_a_promise_says_so_and_stops_nothing() -> None:
    """The timeline names the promise that falls within the snooze, and the clock still wakes for it."""
    moved = moves.snooze(drafted(), by="Nina", at=LATER, until=NOON + 90 * MINUTE)

    assert "past the promise first hour" in moved.timeline[0].detail
    assert moved.case.next_wake() == NOON + 30 * MINUTE


def test_a_snooze_ends_where_it_began() -> None:
    """When its time is over the case stands where it stood, before people again."""
    snoozed = moves.snooze(drafted(), by="Nina", at=LATER, until=LATER + MINUTE).case
    woken = moves.wake(snoozed, at=LATER + MINUTE)

    assert woken is not None
    assert woken.case.status == Status.DRAFTED
    assert woken.case.snoozed_until is None


def test_waking_for_nothing_is_no_move() -> None:
    """A case with nothing due stays as it is."""
    assert moves.wake(drafted(), at=LATER) is None


def test_waking_always_moves_the_next_wake_on() -> None:
    """Whatever falls due, the clock is never asked to look at the same instant again."""
    case, rounds = heard(), 0
    while (wake := case.next_wake()) is not None:
        woken = moves.wake(case, at=wake)
        assert woken is not None
        case, rounds = woken.case, rounds + 1
        assert case.next_wake() is None or case.next_wake() > wake  # type: ignore[operator]

    assert rounds == 5


def test_a_withdrawn_mention_leaves_no_words() -> None:
    """The only mention deleted: its text is gone, the case ends, nothing is owed."""
    case = moves.withdraw(approved(), mention_key="x:post-1", at=LATER).case

    assert (case.last.text, case.author.name, case.status) == ("", "", Status.CLOSED)
    assert case.outgoing is None
    assert case.promises == ()


def test_one_of_two_mentions_withdrawn_stops_the_reply_and_asks_a_person() -> None:
    """What was approved for the deleted words must not go out."""
    case = moves.join(heard(), a_mention(2), at=NOON, promises=PROMISES).case
    case = replace(case, status=Status.APPROVED, outgoing=ACK)
    moved = moves.withdraw(case, mention_key="x:post-1", at=LATER)

    assert moved.case.status == Status.HELD
    assert moved.case.outgoing is None
    assert moved.case.last.text == "My bag is lost!"


def test_an_erased_case_keeps_marks_and_times_only() -> None:
    """No text, no name, no id, no judgement of the person stays."""
    case = moves.erase(approved(), by="Mona", at=LATER, marks=MARKS).case

    assert [gone for gone in ("Maya", "bag", "x:post-1") if gone in repr(case)] == []
    assert case.classification is None


def test_a_reopened_case_keeps_its_oldest_duty() -> None:
    """A case closed unanswered owes from when the customer wrote, not from when it was reopened."""
    closed = moves.close(drafted(), by="Nina", at=LATER, reason="mistake").case
    case = moves.reopen(closed, by="Nina", at=LATER, promises=PROMISES).case

    assert {NOON} == {promise.started_at for promise in case.promises if promise.running}


def test_a_manager_who_heard_the_alarm_is_not_told_again() -> None:
    """Hushing ends the ladder; the promise stays broken."""
    woken = moves.wake(heard(), at=NOON + 61 * MINUTE)
    assert woken is not None
    case = moves.hush(woken.case, by="Mona", at=LATER).case

    first_hour = case.promises[0]
    assert (first_hour.state, first_hour.ladder, first_hour.acknowledged_by) == (
        PromiseState.BREACHED,
        (),
        "Mona",
    )


def test_a_second_pair_of_eyes_is_another_person_than_the_author() -> None:
    """Who wrote the words does not count, and nobody counts twice (T5)."""
    case = moves.edit(drafted(), by="Nina", at=LATER, text="Sorry!", draft_id="draft-2").case
    sha256 = case.draft.sha256 if case.draft else ""
    with pytest.raises(IllegalMove, match="who wrote the draft"):
        moves.approve(case, by="Nina", at=LATER, draft_sha256=sha256, needed=2)
    once = moves.approve(case, by="Ola", at=LATER, draft_sha256=sha256, needed=2)
    again = moves.approve(once.case, by="Ola", at=LATER, draft_sha256=sha256, needed=2)
    twice = moves.approve(again.case, by="Sky", at=LATER, draft_sha256=sha256, needed=2)

    assert (once.case.status, once.case.approvals, once.sends) == (Status.DRAFTED, ("Ola",), ())
    assert again.case.approvals == ("Ola",)
    assert (twice.case.status, twice.case.approvals) == (Status.APPROVED, ())


def test_new_words_need_new_approvals() -> None:
    """Whoever approved the draft before approved something else."""
    once = moves.approve(drafted(), by="Ola", at=LATER, draft_sha256=SHA, needed=2).case
    edited = moves.edit(once, by="Nina", at=LATER, text="Sorry!", draft_id="draft-2").case

    assert edited.approvals == ()


def test_a_corrected_label_is_decided_anew_and_drops_promises_nobody_owes() -> None:
    """A person says that no reply is needed: nothing is owed any more, and the draft goes."""
    moved = moves.relabel(drafted(), judged(Urgency.LOW), by="Nina", at=LATER, promises=PROMISES)

    assert (moved.case.status, moved.case.draft) == (Status.CLASSIFIED, None)
    assert not [promise for promise in moved.case.promises if promise.running]
    assert [send.topic for send in moved.sends] == [Topic.CLASSIFIED]


def test_another_draft_is_asked_for_at_once() -> None:
    """The reason goes with it, so that the same is not proposed again."""
    moved = moves.reject(drafted(), by="Nina", at=LATER, reason="tone", again=True)

    assert (moved.case.status, moved.case.rejections) == (Status.CLASSIFIED, ("tone",))
    assert [send.topic for send in moved.sends] == [Topic.CLASSIFIED]


def test_a_case_is_given_to_a_colleague() -> None:
    """The timeline says by whom."""
    moved = moves.take(drafted(), by="Mona", at=LATER, to="Ola")

    assert moved.case.owner == "Ola"
    assert (moved.timeline[0].by, moved.timeline[0].detail) == ("Mona", "to Ola")


def test_whoever_takes_what_they_have_is_still_on_it() -> None:
    """The timeline says so, and they stay the owner."""
    moved = moves.take(replace(drafted(), owner="Ola"), by="Ola", at=LATER)

    assert (moved.case.owner, moved.timeline[0].detail) == ("Ola", "still on it")


@pytest.mark.parametrize(
    ("by", "why", "detail"),
    [("Ola", "", ""), ("Mona", "", "Ola had it"), ("heard", "Ola gave no answer", "Ola gave no answer")],
)
def test_a_released_case_is_nobodys_and_stays_where_it_was(by: str, why: str, detail: str) -> None:
    """The timeline says whose it was, or why they lost it."""
    case = replace(drafted(), owner="Ola")
    moved = moves.release_case(case, by=by, at=LATER, why=why)

    assert (moved.case.owner, moved.case.status, moved.case.draft) == (None, case.status, case.draft)
    assert (moved.timeline[0].by, moved.timeline[0].detail) == (by, detail)


def test_what_nobody_has_cannot_be_released() -> None:
    """And the refusal says that."""
    with pytest.raises(IllegalMove, match="nobody has it"):
        moves.release_case(drafted(), by="Nina", at=LATER)


def test_a_reply_that_waits_its_turn_comes_back_by_the_clock() -> None:
    """Everything is checked again then; nothing of the last attempt is in flight."""
    waiting = moves.wait_its_turn(sending(), at=NOON, why="429", until=LATER).case
    assert (waiting.status, waiting.next_wake()) == (Status.APPROVED, LATER)
    assert waiting.outgoing is not None
    assert waiting.outgoing.started_at is None
    woken = moves.wake(waiting, at=LATER)

    assert woken is not None
    assert woken.case.look_at is None
    assert Topic.APPROVED in [send.topic for send in woken.sends]


def test_a_reply_that_is_taken_back_is_owed_again() -> None:
    """A person asks, the sender deletes, and the promise runs from the customer's post once more (T15)."""
    answered = replace(answered_by_us(classified()), status=Status.ANSWERED, promises=())
    asked = moves.ask_back(answered, by="Nina", at=LATER, reply_id="r-1")
    gone = moves.take_back(asked.case, at=LATER, promises=PROMISES)

    assert [send.topic for send in asked.sends] == [Topic.APPROVED]
    assert (gone.case.status, gone.case.replies, gone.case.taking_back) == (Status.HELD, (), "")
    assert [promise.name for promise in gone.case.promises if promise.running]


def test_only_a_reply_that_is_there_is_taken_back() -> None:
    """One by hand, of which nobody knows the address, has to be deleted by hand."""
    with pytest.raises(IllegalMove, match="has not"):
        moves.ask_back(drafted(), by="Nina", at=LATER, reply_id="r-9")
