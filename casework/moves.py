"""Every move a case can make, as a pure function: a case and facts in, the new case and what follows out.

Nothing here knows a store, a platform or a person's screen. ``by`` is who moved: a person's name, or
``heard`` for the bot itself; ``at`` is the instant, from the clock.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from casework.case import (
    DONE,
    IN_FLIGHT,
    LEGAL,
    WITH_THE_SENDER,
    Case,
    Move,
    Moved,
    Send,
    Status,
    Topic,
    check_legal,
    redacted,
)
from casework.classification import Classification
from casework.draft import Draft, ReplyKind
from casework.errors import IllegalMove, NotAllowedHere, TextChanged
from casework.forgetting import Marks, unnamed
from casework.mention import Author, Mention
from casework.pause import Pause, stretches
from casework.reply import Outgoing, Permission, Reply, Way
from casework.sla import Alert, Promise, Promises, raise_due, release
from casework.timeline import TimelineEntry

APPROVAL_LASTS = timedelta(hours=1)
"""How long an approval stands: what could not be posted by then is put before people again."""

HEARD = "heard"
"""Who moves when no person does."""

THE_CUSTOMER = "the customer"
"""Who ends a pause by writing again."""

STILL_ON_IT = "still on it"
"""What the timeline says of whoever takes what they have."""

SNOOZE_OVER = "snooze over"
"""What the timeline says of a case that rested until now."""


class _Changes(TypedDict, total=False):
    """The fields of `Case` that a move may change."""

    status: Status
    mentions: tuple[Mention, ...]
    author: Author
    classification: Classification | None
    draft: Draft | None
    permission: Permission | None
    outgoing: Outgoing | None
    replies: tuple[Reply, ...]
    promises: tuple[Promise, ...]
    owner: str | None
    escalated_to: str | None
    why: str
    rule: str
    rejections: tuple[str, ...]
    snoozed_until: datetime | None
    rested: Status | None
    look_at: datetime | None
    approvals: tuple[str, ...]
    taking_back: str
    pauses: tuple[Pause, ...]


_FIELDS = tuple(field.name for field in fields(Case))


def _moved(
    case: Case,
    move: Move,
    *,
    by: str,
    at: datetime,
    detail: str = "",
    sends: tuple[Send, ...] = (),
    model: str = "",
    **changes: Unpack[_Changes],
) -> Moved:
    check_legal(case, move)
    version = case.version + 1
    if changes.get("status", Status.SNOOZED) is not Status.SNOOZED:
        changes["snoozed_until"], changes["rested"] = None, None
    if case.pause is not None and changes.get("status") in DONE:
        # Nothing is owed any more, so nothing stands still.
        changes["pauses"] = _ended(changes.get("pauses", case.pauses), by=by, at=at)
    if "draft" in changes:
        # Whoever approved the draft before approved other words.
        changes["approvals"] = ()
    # What `replace` does, at a third less: every move of every case comes through here.
    values = {name: getattr(case, name) for name in _FIELDS}
    values.update(changes)
    values.update(version=version, moved_by=by, moved=move, moved_at=_no_sooner(case, at))
    new = Case(**values)
    entry = TimelineEntry(at=at, what=move, by=by, detail=detail, version=version, model=model)
    return Moved(case=new, timeline=(entry,), sends=sends, was=case.version, was_status=case.status)


# ── hearing ──────────────────────────────────────────────────────────────────────────────────────


def hear(mention: Mention, *, case_id: str, at: datetime, promises: Promises) -> Moved:
    """A mention opens a case. Its promises run from now on, before anybody has judged it."""
    case = Case(
        id=case_id,
        platform=mention.platform,
        author=mention.author,
        opened_at=at,
        mentions=(mention,),
        moved_at=at,
        promises=promises.owed(
            (), mention=mention.key, at=_heard(mention, at), platform=mention.platform, classification=None
        ),
    )
    entry = TimelineEntry(at=at, what=Move.HEAR, by=HEARD, detail=mention.key, version=1)
    return Moved(
        case=case,
        timeline=(entry,),
        sends=(Send(Topic.MENTIONS),),
        heard=mention.key,
        posts=mention.threads,
    )


def join(case: Case, mention: Mention, *, at: datetime, promises: Promises) -> Moved:
    """The customer writes again: the case goes back to be judged and what was proposed is retired.

    While a reply is in flight the case stays where it is; `sent` brings the new mention up.
    """
    running = _resumed(case, by=THE_CUSTOMER, at=at, promises=promises)
    changes: _Changes = {
        "mentions": (*case.mentions, mention),
        "promises": promises.owed(
            running["promises"],
            mention=mention.key,
            at=_heard(mention, at),
            platform=mention.platform,
            classification=None,
            follow_up=bool(case.replies),
        ),
        "pauses": running["pauses"],
        "draft": None,
    }
    sends: tuple[Send, ...] = ()
    if case.status not in IN_FLIGHT:
        changes["status"], changes["outgoing"] = Status.NEW, None
        sends = (Send(Topic.MENTIONS),)
    moved = _moved(case, Move.JOIN, by=HEARD, at=at, detail=mention.key, sends=sends, **changes)
    return replace(moved, heard=mention.key, posts=mention.threads)


def _heard(mention: Mention, at: datetime) -> datetime:
    # A clock that is wrong in the future must not buy the brand time.
    return min(mention.created_at, at)


# ── judging ──────────────────────────────────────────────────────────────────────────────────────


def classify(case: Case, classification: Classification, *, at: datetime, promises: Promises) -> Moved:
    """The case is judged. Promises that the judgement does not ask for are dropped.

    "Thanks" after an unanswered complaint does not end the duty to answer the complaint.
    """
    before = case.classification
    earlier_duty = before is not None and before.needs_reply and len(case.unanswered()) > 1
    kept = before if before and earlier_duty and not classification.needs_reply else classification
    return _moved(
        case,
        Move.CLASSIFY,
        by=HEARD,
        at=at,
        detail=kept.labels,
        model=kept.model,
        sends=(Send(Topic.CLASSIFIED),),
        status=Status.CLASSIFIED,
        classification=kept,
        promises=promises.still_owed(case.promises, platform=case.platform, classification=kept),
    )


def relabel(
    case: Case, classification: Classification, *, by: str, at: datetime, promises: Promises
) -> Moved:
    """A person says that the model was wrong: the case is decided anew under the labels that are right.

    What it is owed now runs from the oldest unanswered mention, as if the model had been right.
    """
    check_legal(case, Move.RELABEL)
    owed = promises.still_owed(case.promises, platform=case.platform, classification=classification)
    return _moved(
        case,
        Move.RELABEL,
        by=by,
        at=at,
        detail=classification.labels,
        sends=(Send(Topic.CLASSIFIED),),
        status=Status.CLASSIFIED,
        classification=classification,
        draft=None,
        promises=_owed_for_unanswered(replace(case, classification=classification), owed, at, promises),
    )


# ── responding ───────────────────────────────────────────────────────────────────────────────────


def ignore(case: Case, *, rule: str, why: str, at: datetime) -> Moved:
    """Nothing is owed: the case ends without a reply."""
    return _moved(
        case,
        Move.IGNORE,
        by=HEARD,
        at=at,
        detail=why,
        status=Status.IGNORED,
        rule=rule,
        why=why,
        promises=release(case.promises, at),
    )


def acknowledge(
    case: Case,
    outgoing: Outgoing,
    *,
    draft: Draft | None,
    permission: Permission,
    rule: str,
    why: str,
    at: datetime,
) -> Moved:
    """The bot says "we have seen it" by itself; the answer, drafted or not, still waits for a person."""
    return _moved(
        case,
        Move.ACKNOWLEDGE,
        by=HEARD,
        at=at,
        detail=why,
        sends=(Send(Topic.APPROVED),),
        status=Status.APPROVED,
        outgoing=outgoing,
        look_at=None,
        draft=draft,
        permission=permission,
        rule=rule,
        why=why,
    )


def propose(case: Case, draft: Draft, *, permission: Permission, rule: str, why: str, at: datetime) -> Moved:
    """A draft is put before people."""
    return _moved(
        case,
        Move.DRAFT,
        by=HEARD,
        at=at,
        detail=", ".join(source.id for source in draft.sources),
        sends=(Send(Topic.ESCALATED),),
        status=Status.DRAFTED,
        draft=draft,
        permission=permission,
        rule=rule,
        why=why,
    )


def hold(
    case: Case,
    *,
    permission: Permission,
    rule: str,
    why: str,
    at: datetime,
    draft: Draft | None = None,
    to: str | None = None,
) -> Moved:
    """The case needs a person: uncertain, risky, nothing fits, or no reply is allowed from here."""
    return _moved(
        case,
        Move.HOLD,
        by=HEARD,
        at=at,
        detail=why,
        sends=(Send(Topic.ESCALATED),),
        status=Status.HELD,
        draft=draft,
        permission=permission,
        rule=rule,
        why=why,
        escalated_to=to,
    )


# ── people ───────────────────────────────────────────────────────────────────────────────────────


def approve(
    case: Case,
    *,
    by: str,
    at: datetime,
    draft_sha256: str,
    not_after: datetime | None = None,
    needed: int = 1,
) -> Moved:
    """A person decides that exactly this text goes out; where ``needed`` is two, a second pair of eyes must.

    With more than one needed, who wrote the text does not count, and nobody counts twice (T5).

    Raises:
        IllegalMove: there is no draft, or the case is past deciding.
        TextChanged: ``draft_sha256`` is not the fingerprint of the present draft (T5).
        NotAllowedHere: the platform does not let Heard post this reply.
    """
    check_legal(case, Move.APPROVE)
    draft = case.draft
    if draft is None:
        raise IllegalMove("approve without a draft", case.status, case.id)
    if draft.sha256 != draft_sha256:
        raise TextChanged(case.id)
    if case.permission is not None and case.permission.way is not Way.SEND:
        raise NotAllowedHere(case.id, rule=case.permission.rule, why=case.permission.why)
    counted = {*case.approvals, by} - ({draft.written_by} if needed > 1 else set())
    if len(counted) < needed:
        if by not in counted:
            raise IllegalMove("count the approval of who wrote the draft", case.status, case.id)
        return _moved(
            case,
            Move.APPROVE,
            by=by,
            at=at,
            detail=f"{draft.id}, {len(counted)} of {needed} approvals",
            approvals=tuple(sorted(counted)),
        )
    outgoing = Outgoing(
        key=f"{case.id}:{draft.id}",
        kind=draft.kind,
        text=draft.text,
        answers=draft.answers,
        decided_by=by,
        decided_at=at,
        not_after=not_after or at + APPROVAL_LASTS,
        language=draft.language,
    )
    return _moved(
        case,
        Move.APPROVE,
        by=by,
        at=at,
        detail=draft.id,
        sends=(Send(Topic.APPROVED),),
        status=Status.APPROVED,
        outgoing=outgoing,
        look_at=None,
        approvals=(),
    )


def edit(case: Case, *, by: str, at: datetime, text: str, draft_id: str) -> Moved:
    """A person puts their own words in the draft's place. The edit is a new draft: approve it next."""
    before = case.draft
    draft = Draft(
        id=draft_id,
        text=text,
        answers=case.last.key,
        language=before.language if before else (case.last.language or "en"),
        sources=before.sources if before else (),
        written_by=by,
    )
    return _moved(case, Move.EDIT, by=by, at=at, detail=draft_id, draft=draft)


def reject(case: Case, *, by: str, at: datetime, reason: str, again: bool = False) -> Moved:
    """A person refuses the draft; the reason is kept for the next one, which is asked for with ``again``."""
    check_legal(case, Move.REJECT)
    if case.draft is None:
        raise IllegalMove("reject without a draft", case.status, case.id)
    return _moved(
        case,
        Move.REJECT,
        by=by,
        at=at,
        detail=reason,
        sends=(Send(Topic.CLASSIFIED if again else Topic.ESCALATED),),
        status=Status.CLASSIFIED if again else Status.HELD,
        draft=None,
        rejections=(*case.rejections, reason),
        why=f"{by} rejected the draft: {reason}",
    )


def take(case: Case, *, by: str, at: datetime, to: str = "") -> Moved:
    """A person makes the case theirs, or a colleague's, or says that they are still on it."""
    detail = f"to {to}" if to else STILL_ON_IT if case.owner == by else ""
    return _moved(case, Move.TAKE, by=by, at=at, detail=detail, owner=to or by)


def release_case(case: Case, *, by: str, at: datetime, why: str = "") -> Moved:
    """The case is nobody's again: its owner, a colleague or the clock gives it back.

    Raises:
        IllegalMove: nobody has it, or it is done.
    """
    check_legal(case, Move.RELEASE)
    if case.owner is None:
        raise IllegalMove("be released: nobody has it", case.status, case.id)
    detail = why or ("" if by == case.owner else f"{case.owner} had it")
    return _moved(case, Move.RELEASE, by=by, at=at, detail=detail, owner=None)


def snooze(case: Case, *, by: str, at: datetime, until: datetime) -> Moved:
    """The case rests until an instant. Its promises do not: the timeline says when one falls in between."""
    check_legal(case, Move.SNOOZE)
    if until <= at:
        raise IllegalMove("snooze into the past", case.status, case.id)
    passes = [p.name for p in case.promises if p.running and p.due_at <= until]
    detail = f"until {until.isoformat()}" + (f", past the promise {', '.join(passes)}" if passes else "")
    return _moved(
        case,
        Move.SNOOZE,
        by=by,
        at=at,
        detail=detail,
        status=Status.SNOOZED,
        rested=case.status,
        snoozed_until=until,
    )


def pause(case: Case, *, by: str, at: datetime, reason: str) -> Moved:
    """A person says that the case waits for somebody else: what is not broken yet stands still.

    Raises:
        IllegalMove: it is paused already.
    """
    check_legal(case, Move.PAUSE)
    if case.pause is not None:
        raise IllegalMove("pause again", case.status, case.id)
    begun = Pause(since=_no_sooner(case, at), reason=reason, by=by)
    return _moved(case, Move.PAUSE, by=by, at=at, detail=reason, pauses=(*case.pauses, begun))


def resume(case: Case, *, by: str, at: datetime, promises: Promises) -> Moved:
    """The pause is over: every promise has as much time left as when it began.

    Raises:
        IllegalMove: it is not paused.
    """
    check_legal(case, Move.RESUME)
    if case.pause is None:
        raise IllegalMove("go on: it is not paused", case.status, case.id)
    waited = case.pause.reason
    return _moved(
        case, Move.RESUME, by=by, at=at, detail=waited, **_resumed(case, by=by, at=at, promises=promises)
    )


def recount(case: Case, *, at: datetime, promises: Promises, why: str) -> Moved | None:
    """The brand promises something else from now on: what is owed is counted anew; None if that is the same.

    A promise that came newly is owed to the oldest unanswered mention, unless it would be broken at once:
    nobody was promised that in time.
    """
    check_legal(case, Move.RECOUNT)
    at, judged = _no_sooner(case, at), case.classification
    kept = case.promises
    if judged is not None:
        kept = promises.still_owed(kept, platform=case.platform, classification=judged)
    owed = _owed_for_unanswered(case, promises.recounted(kept, at, case.paused), at, promises)
    new = tuple(p for p in owed if p in case.promises or p.due_at > at or _runs(case, p.name))
    if new == case.promises:
        return None
    return _moved(case, Move.RECOUNT, by=HEARD, at=at, detail=f"{why}: {_said_due(new)}", promises=new)


def _runs(case: Case, name: str) -> bool:
    return any(promise.name == name and promise.running for promise in case.promises)


def _said_due(promises: Sequence[Promise]) -> str:
    owed = [f"{p.name} due {p.due_at.isoformat()}" for p in promises if p.running]
    return ", ".join(owed) or "nothing is owed any more"


def close(case: Case, *, by: str, at: datetime, reason: str) -> Moved:
    """A person ends the case without (another) reply."""
    return _moved(
        case,
        Move.CLOSE,
        by=by,
        at=at,
        detail=reason,
        status=Status.CLOSED,
        why=reason,
        draft=None,
        outgoing=None,
        promises=release(case.promises, at),
    )


def note(case: Case, *, by: str, at: datetime, text: str) -> Moved:
    """A person leaves words for colleagues. Notes are never public."""
    return _moved(case, Move.NOTE, by=by, at=at, detail=text)


def reopen(case: Case, *, by: str, at: datetime, promises: Promises) -> Moved:
    """A person brings an ended case back; it keeps its oldest duty."""
    check_legal(case, Move.REOPEN)
    return _moved(
        case,
        Move.REOPEN,
        by=by,
        at=at,
        sends=(Send(Topic.ESCALATED),),
        status=Status.HELD,
        why=f"{by} reopened it",
        promises=_owed_for_unanswered(case, case.promises, at, promises),
    )


def escalate(case: Case, *, by: str, at: datetime, to: str, reason: str) -> Moved:
    """A person hands the case to others."""
    return _moved(
        case,
        Move.ESCALATE,
        by=by,
        at=at,
        detail=f"to {to}: {reason}",
        sends=(Send(Topic.ESCALATED),),
        status=Status.HELD,
        escalated_to=to,
        why=reason,
    )


def post_by_hand(
    case: Case, *, by: str, at: datetime, text: str, reply_id: str = "", answers: str = ""
) -> Moved:
    """A person answered on the platform themselves: they say so, or Heard found their reply there.

    ``answers`` is the key of the mention below which it is, the last without one. What the customer wrote
    since is not answered by it: the case stays with people, and what was promised runs on.
    """
    check_legal(case, Move.POST_BY_HAND)
    reply = Reply(
        key=f"{case.id}:by-hand-{case.version}",
        kind=ReplyKind.ANSWER,
        id=reply_id,
        text=text,
        answers=answers or case.last.key,
        decided_by=by,
        posted_at=at,
        by_hand=True,
    )
    replies = (*case.replies, reply)
    if reply.answers != case.last.key:
        return _moved(case, Move.POST_BY_HAND, by=by, at=at, replies=replies)
    return _moved(
        case,
        Move.POST_BY_HAND,
        by=by,
        at=at,
        status=Status.ANSWERED,
        draft=None,
        outgoing=None,
        replies=replies,
        promises=_settled(case, reply),
    )


def hush(case: Case, *, by: str, at: datetime) -> Moved:
    """A manager says that they heard the alarm: the ladder climbs no further. The promise stays broken."""
    quiet = tuple(
        replace(promise, ladder=(), acknowledged_by=by) if not promise.state.running else promise
        for promise in case.promises
    )
    return _moved(case, Move.HUSH, by=by, at=at, promises=quiet)


# ── sending ──────────────────────────────────────────────────────────────────────────────────────


def begin_sending(case: Case, *, at: datetime, look_at: datetime) -> Moved:
    """The intent is written down before anything leaves: what, as which attempt, and when to look."""
    check_legal(case, Move.BEGIN_SENDING)
    return _attempt(case, Move.BEGIN_SENDING, at=at, look_at=look_at)


def resend(case: Case, *, at: datetime, look_at: datetime) -> Moved:
    """A look proved that the last attempt left nothing behind: the same bytes go out again."""
    check_legal(case, Move.RESEND)
    return _attempt(case, Move.RESEND, at=at, look_at=look_at)


def _attempt(case: Case, move: Move, *, at: datetime, look_at: datetime) -> Moved:
    outgoing = _outgoing(case)
    attempt = replace(outgoing, started_at=at, attempts=outgoing.attempts + 1)
    return _moved(
        case,
        move,
        by=HEARD,
        at=at,
        detail=f"{outgoing.key}, attempt {attempt.attempts}",
        status=Status.SENDING,
        outgoing=attempt,
        look_at=look_at,
    )


def stop_sending(case: Case, *, at: datetime, why: str, permission: Permission | None = None) -> Moved:
    """The look before sending found a reason not to: the case goes back to people, nothing was posted."""
    return _moved(
        case,
        Move.STOP_SENDING,
        by=HEARD,
        at=at,
        detail=why,
        sends=(Send(Topic.ESCALATED),),
        status=Status.HELD,
        outgoing=None,
        permission=permission or case.permission,
        why=why,
    )


def sent(case: Case, *, reply_id: str, posted_at: datetime, at: datetime, promises: Promises) -> Moved:
    """The platform has our reply. What it keeps is settled; what the customer wrote since is owed anew."""
    check_legal(case, Move.SENT)
    outgoing = _outgoing(case)
    reply = Reply(
        key=outgoing.key,
        kind=outgoing.kind,
        id=reply_id,
        text=outgoing.text,
        answers=outgoing.answers,
        decided_by=outgoing.decided_by,
        posted_at=posted_at,
        automatic=outgoing.automatic,
    )
    after = replace(case, replies=(*case.replies, reply))
    newer = case.last.key != reply.answers
    status, sends = _after_reply(reply, newer)
    settled = _settled(case, reply)
    moved = _moved(
        case,
        Move.SENT,
        by=HEARD,
        at=at,
        detail=f"{reply.kind} {reply_id}",
        sends=sends,
        status=status,
        outgoing=None,
        look_at=None,
        draft=case.draft if reply.kind is ReplyKind.ACKNOWLEDGEMENT and not newer else None,
        replies=after.replies,
        promises=_owed_for_newer(after, reply, settled, promises) if newer else settled,
    )
    return replace(moved, posts=(reply_id,))


def _after_reply(reply: Reply, newer: bool) -> tuple[Status, tuple[Send, ...]]:
    if newer:
        return Status.NEW, (Send(Topic.MENTIONS),)
    if reply.kind is ReplyKind.ANSWER:
        return Status.ANSWERED, ()
    return Status.ACKNOWLEDGED, (Send(Topic.ESCALATED),)


def refuse(case: Case, *, at: datetime, why: str) -> Moved:
    """The platform said no: nothing was posted, the promise still runs."""
    newer = case.outgoing is not None and case.outgoing.answers != case.last.key
    return _moved(
        case,
        Move.REFUSE,
        by=HEARD,
        at=at,
        detail=why,
        sends=(Send(Topic.MENTIONS if newer else Topic.ESCALATED),),
        status=Status.NEW if newer else Status.FAILED,
        outgoing=None,
        look_at=None,
        why=why,
    )


def lose_track(case: Case, *, at: datetime, why: str, look_at: datetime) -> Moved:
    """The answer to a post was lost: nobody knows before ``look_at`` whether the customer sees our reply."""
    return _moved(case, Move.LOSE_TRACK, by=HEARD, at=at, detail=why, status=Status.UNKNOWN, look_at=look_at)


def wait_its_turn(case: Case, *, at: datetime, why: str, until: datetime) -> Moved:
    """The platform takes no reply now and nothing was posted: everything is checked again at ``until``."""
    check_legal(case, Move.WAIT)
    return _moved(
        case,
        Move.WAIT,
        by=HEARD,
        at=at,
        detail=why,
        status=Status.APPROVED,
        outgoing=replace(_outgoing(case), started_at=None),
        look_at=until,
    )


def ask_back(case: Case, *, by: str, at: datetime, reply_id: str) -> Moved:
    """A person wants a reply of ours deleted on the platform; the sender does it (T15).

    Raises:
        IllegalMove: the case has no such reply, or nobody knows where it is.
    """
    check_legal(case, Move.ASK_BACK)
    if not reply_id or reply_id not in {reply.id for reply in case.replies}:
        raise IllegalMove("take back a reply that it has not", case.status, case.id)
    return _moved(
        case,
        Move.ASK_BACK,
        by=by,
        at=at,
        detail=reply_id,
        sends=(Send(Topic.APPROVED),),
        taking_back=reply_id,
    )


def take_back(case: Case, *, at: datetime, promises: Promises) -> Moved:
    """The reply is gone from the platform: what it settled is owed again, and a person sees to it."""
    check_legal(case, Move.TAKE_BACK)
    kept = tuple(reply for reply in case.replies if reply.id != case.taking_back)
    without = replace(case, replies=kept)
    return _moved(
        case,
        Move.TAKE_BACK,
        by=HEARD,
        at=at,
        detail=case.taking_back,
        sends=(Send(Topic.ESCALATED),),
        status=Status.HELD,
        replies=kept,
        taking_back="",
        why="a reply was taken back",
        promises=_owed_for_unanswered(without, case.promises, at, promises),
    )


def _outgoing(case: Case) -> Outgoing:
    if case.outgoing is None:
        raise IllegalMove("send with an empty outbox", case.status, case.id)
    return case.outgoing


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


def wake(case: Case, *, at: datetime, promises: Promises | None = None) -> Moved | None:
    """What falls due on a case at an instant, each thing once; None when it was woken for nothing.

    ``promises`` know who is told again of a promise that stays broken.
    """
    raised = raised_by(case, at, promises)
    alerts = tuple(alert for _, due in raised for alert in due)
    changes: _Changes = {"promises": tuple(promise for promise, _ in raised)}
    sends = tuple(Send(Topic.ALERTS, alert) for alert in alerts)
    said = [_spoken(alert) for alert in alerts]
    if case.status is Status.SNOOZED and case.snoozed_until and case.snoozed_until <= at:
        changes["status"] = case.rested or Status.HELD
        sends += (Send(Topic.ESCALATED),)
        said.append(SNOOZE_OVER)
    if case.status in WITH_THE_SENDER and case.look_at and case.look_at <= at:
        changes["look_at"] = None
        sends += (Send(Topic.APPROVED),)
        said.append("time to look for our reply" if case.status in IN_FLIGHT else "its turn to be sent")
    if not said and changes["promises"] == case.promises:
        return None
    return _moved(case, Move.WAKE, by=HEARD, at=at, detail="; ".join(said), sends=sends, **changes)


def raised_by(
    case: Case, at: datetime, promises: Promises | None = None
) -> list[tuple[Promise, tuple[Alert, ...]]]:
    """What each promise has become by an instant, and its alerts; in a pause that lasts nothing moves."""
    if case.pause is not None:
        return [(promise, ()) for promise in case.promises]
    return [raise_due(promise, at, promises) for promise in case.promises]


def as_of(case: Case, now: datetime) -> Case:
    """The case as the promise clock will find it: a stopped clock must not show a broken promise as kept."""
    woken = wake(case, at=now) if case.open and case.status in LEGAL[Move.WAKE] else None
    return woken.case if woken is not None else case


def _spoken(alert: Alert) -> str:
    return f"{alert.promise} {alert.state}, telling {alert.to}"


def tell(case: Case, alert: Alert, *, at: datetime, where: str) -> Moved:
    """People were told of an alert: by which way is on the timeline."""
    return _moved(case, Move.TELL, by=HEARD, at=at, detail=f"{_spoken(alert)} through {where}")


# ── privacy ──────────────────────────────────────────────────────────────────────────────────────


def amend(case: Case, *, mention_key: str, text: str, at: datetime) -> Moved:
    """The author edited a mention (X11): it is judged anew, and what was proposed for the old words goes.

    One that has its answer is only read anew: no edit makes anybody answer twice.
    """
    mentions = tuple(replace(m, text=text) if m.key == mention_key else m for m in case.mentions)
    if mention_key not in {mention.key for mention in case.unanswered()}:
        return _moved(case, Move.AMEND, by=HEARD, at=at, detail=mention_key, mentions=mentions)
    return _moved(
        case,
        Move.AMEND,
        by=HEARD,
        at=at,
        detail=mention_key,
        sends=(Send(Topic.MENTIONS),),
        status=Status.NEW,
        mentions=mentions,
        draft=None,
        outgoing=None,
        why="the author edited the post",
    )


def withdraw(case: Case, *, mention_key: str, at: datetime) -> Moved:
    """The author deleted a mention: its words go. With none left, the case ends.

    A reply to it that has not left yet never does; one in flight ends as it ends.
    """
    mentions = tuple(redacted(m) if m.key == mention_key else m for m in case.mentions)
    if case.status in IN_FLIGHT:
        return _moved(case, Move.WITHDRAW, by=HEARD, at=at, detail=mention_key, mentions=mentions)
    if any(mention.text for mention in mentions):
        return _moved(
            case,
            Move.WITHDRAW,
            by=HEARD,
            at=at,
            detail=mention_key,
            sends=(Send(Topic.ESCALATED),),
            mentions=mentions,
            status=Status.HELD if case.open else case.status,
            draft=None,
            outgoing=None,
            why="the author deleted one of the posts",
        )
    return _moved(
        case,
        Move.WITHDRAW,
        by=HEARD,
        at=at,
        detail=mention_key,
        mentions=mentions,
        author=mentions[-1].author,
        status=Status.CLOSED,
        why="the author deleted the post",
        draft=None,
        outgoing=None,
        promises=release(case.promises, at),
    )


def expire(case: Case, *, at: datetime, why: str, marks: Marks) -> Moved:
    """The posts were kept for as long as they may be: their words and whose they were go, the rest stays.

    A case that is still open ends: nobody can answer what nobody can read any more (R4).
    """
    left = unnamed(case, marks)
    return _moved(
        left,
        Move.EXPIRE,
        by=HEARD,
        at=at,
        detail=why,
        status=Status.CLOSED if case.open else case.status,
        why=why,
        promises=release(left.promises, at),
    )


def erase(case: Case, *, by: str, at: datetime, marks: Marks) -> Moved:
    """Nothing a person wrote or said of them stays: times, and marks in place of ids."""
    left = unnamed(case, marks)
    return _moved(
        left,
        Move.ERASE,
        by=by,
        at=at,
        status=Status.ERASED,
        classification=None,
        why="",
        promises=release(left.promises, at),
    )


# ── promises, shared ─────────────────────────────────────────────────────────────────────────────


def _settled(case: Case, reply: Reply) -> tuple[Promise, ...]:
    """The promises that a reply keeps are settled; what is owed for a later mention is owed all the same."""
    keys = [mention.key for mention in case.mentions]
    newer = keys[keys.index(reply.answers) + 1 :] if reply.answers in keys else []
    return tuple(
        p.settle(reply.posted_at) if p.kept_by(reply) and p.mention not in newer else p for p in case.promises
    )


def _owed_for_newer(
    case: Case, reply: Reply, settled: tuple[Promise, ...], promises: Promises
) -> tuple[Promise, ...]:
    keys = [mention.key for mention in case.mentions]
    first = case.mentions[keys.index(reply.answers) + 1] if reply.answers in keys else case.last
    return promises.owed(
        settled,
        mention=first.key,
        at=first.created_at,
        platform=case.platform,
        classification=None,
        follow_up=True,
        pauses=case.paused,
    )


def _owed_for_unanswered(
    case: Case, settled: tuple[Promise, ...], at: datetime, promises: Promises
) -> tuple[Promise, ...]:
    waiting = case.unanswered()
    if not waiting:
        return settled
    oldest = waiting[0]
    return promises.owed(
        settled,
        mention=oldest.key,
        at=_heard(oldest, at),
        platform=case.platform,
        classification=case.classification,
        follow_up=any(reply.answers != oldest.key for reply in case.replies),
        pauses=case.paused,
    )


def _no_sooner(case: Case, at: datetime) -> datetime:
    """The instant, or that of the latest move so far where a clock was set back since.

    What is counted from an earlier one would take back a warning or a breach that people were told of.
    """
    return max(at, case.moved_at) if case.moved_at is not None else at


def _ended(pauses: tuple[Pause, ...], *, by: str, at: datetime) -> tuple[Pause, ...]:
    """The pauses once the last, which lasts, is over."""
    last = pauses[-1]
    # A clock that was set back must not end a pause before it began.
    return (*pauses[:-1], replace(last, until=max(at, last.since), ended_by=by))


class _Resumed(TypedDict):
    promises: tuple[Promise, ...]
    pauses: tuple[Pause, ...]


def _resumed(case: Case, *, by: str, at: datetime, promises: Promises) -> _Resumed:
    """The promises and pauses once the case waits for nobody else any more."""
    if case.pause is None:
        return {"promises": case.promises, "pauses": case.pauses}
    at = _no_sooner(case, at)
    pauses = _ended(case.pauses, by=by, at=at)
    owed = promises.recounted(case.promises, at, stretches(pauses))
    return {"promises": owed, "pauses": pauses}
