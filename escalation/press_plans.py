"""What each press means: which moves it makes, what it asks of the case, and which role may press it.

What is not named here does nothing, and is answered. Pure values: `escalation.press_worker` carries them out.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from casework import moves
from casework.case import Case, Move, Moved, Status
from casework.decisions import Action, Ask, Refused
from casework.errors import IllegalMove, TextChanged
from casework.pause import FOR_THE_CUSTOMER
from casework.words import visible
from escalation.cards import rest
from escalation.dialogs import CLOSE_REASONS, Next
from escalation.presses import Press
from escalation.roles import ASSIGN, LOOK

WAKE: Final = "wake"
"""Ending a snooze: no decision about the reply, so it is no `Action`."""

STILL: Final = "lease.yes"
_LEASE: Final = "lease."

_PLANS: Final[Mapping[str, tuple[str, ...]]] = {
    "card.approve": (Action.APPROVE,),
    "card.retry": (Action.APPROVE,),
    "card.take": (Action.TAKE,),
    "card.wake": (WAKE,),
    "card.snooze.await": (Action.AWAIT,),
    "card.goon": (Action.GO_ON,),
    "card.reopen": (Action.REOPEN,),
    "card.takeback": (Action.TAKE_BACK,),
    "card.more.redraft": (Action.REJECT,),
    "card.more.irrelevant": (Action.CLOSE,),
    "edit.submit": (Action.EDIT, Action.APPROVE),
    "reject.submit": (Action.REJECT,),
    "assign.submit": (Action.TAKE,),
    "snooze.submit": (Action.SNOOZE,),
    "relabel.submit": (Action.RELABEL,),
    "posted.submit": (Action.POSTED,),
    "close.submit": (Action.CLOSE,),
    "note.submit": (Action.NOTE,),
    "escalate.submit": (Action.ESCALATE,),
    "breach.row.take": (Action.TAKE,),
    STILL: (Action.TAKE,),
    "lease.release": (Action.RELEASE,),
}
"""The moves of each press that decides something."""

OPENS: Final[Mapping[str, str]] = {
    "card.edit": Action.EDIT,
    "card.reject": Action.REJECT,
    "card.close": Action.CLOSE,
    "card.note": Action.NOTE,
    "card.posted": Action.POSTED,
    "card.assign": ASSIGN,
    "card.snooze.until": Action.SNOOZE,
    "card.more.relabel": Action.RELABEL,
    "card.more.escalate": Action.ESCALATE,
    "card.more.explain": LOOK,
    "breach.row.open": LOOK,
    "breach.row.assign": ASSIGN,
    "home.open": LOOK,
}
"""The presses that open a dialog at once, and the role action that each asks for."""

UNBOUND: Final = frozenset({Action.NOTE, Action.HUSH})
"""What takes nothing from anybody is done whatever was moved since."""

STAYS_OPEN: Final = frozenset({"edit.submit", "note.submit", "posted.submit"})
"""The dialogs in which somebody wrote: they say what became of it, with the words still there."""

MOVE_OF: Final[Mapping[str, Move]] = {
    **{action: Move[action.name] for action in Action if action.name in Move.__members__},
    Action.POSTED: Move.POST_BY_HAND,
    Action.TAKE_BACK: Move.ASK_BACK,
    Action.AWAIT: Move.PAUSE,
    Action.GO_ON: Move.RESUME,
    WAKE: Move.WAKE,
}
_REDRAFT: Final = "Another draft was asked for"


def plan_of(press: Press) -> tuple[str, ...]:
    """The moves that a press makes, in order; none where it decides nothing."""
    if press.action.startswith("card.snooze.") and press.action not in OPENS:
        return _PLANS.get(press.action, (Action.SNOOZE,))
    if press.action == "reject.submit" and press.then == Next.CLOSE:
        return (Action.CLOSE,)
    if press.action == "edit.submit" and press.then == "review":
        return (Action.EDIT,)
    return _PLANS.get(press.action, ())


def unbound(press: Press, step: str) -> bool:
    """Whether a move is made whatever happened to the case since it was shown."""
    # Whoever says that they are on it has read no text: all that counts is whose the case is.
    return step in UNBOUND or press.action.startswith(_LEASE)


def needed(press: Press, step: str) -> str:
    """The role action that one move of a press asks for."""
    if press.action == "assign.submit":
        return ASSIGN
    return Action.SNOOZE if step == WAKE else step


def ask_of(press: Press, step: str, by: str, case: Case, timezone: str) -> Ask:
    """What a press asks of the case as it is now.

    Raises:
        TextChanged: the present draft is not the one that was shown when it was pressed (T5).
        Refused: they were asked whether they are still on it, and the case is not theirs any more.
    """
    _check_lease(press, by, case)
    ask = Ask(
        version=press.version or case.version,
        by=by,
        text=press.text,
        reason=press.reason,
        until=press.until,
        to=press.to if step in (Action.TAKE, Action.ESCALATE) else "",
        labels=press.labels,
        again=press.then == Next.REDRAFT,
    )
    if step == Action.APPROVE:
        return replace(ask, draft_sha256=_approved(press, case))
    if press.action == "card.more.redraft":
        return replace(ask, reason=_REDRAFT, again=True)
    if press.action == "card.more.irrelevant":
        return replace(ask, reason=CLOSE_REASONS["irrelevant"])
    if step == Action.AWAIT:
        return replace(ask, reason=ask.reason or FOR_THE_CUSTOMER)
    if step == Action.SNOOZE and press.until is None:
        # Counted from the press: carried out again after a crash, it ends at the same instant.
        return replace(ask, until=rest(press.action.rpartition(".")[2], press.pressed_at, timezone))
    return ask


def _check_lease(press: Press, by: str, case: Case) -> None:
    if not press.action.startswith(_LEASE) or case.owner == by:
        return
    if case.owner is not None:
        raise Refused(f"{visible(case.owner)} has this case now, so your click did nothing.")
    if press.action != STILL and case.open:
        raise Refused("Nobody has this case any more, so there is nothing to release.")


def _approved(press: Press, case: Case) -> str:
    """The fingerprint of exactly the text that was read, or written, by whoever pressed."""
    draft = case.draft
    if draft is None:
        raise IllegalMove("approve without a draft", case.status, case.id)
    seen = draft.text == press.text if press.action == "edit.submit" else bool(press.draft)
    if not seen or (press.action != "edit.submit" and not draft.sha256.startswith(press.draft)):
        raise TextChanged(case.id)
    return draft.sha256


def wake(case: Case, by: str, at: datetime) -> Moved:
    """Somebody ends a snooze: as the clock would, in their name.

    Raises:
        IllegalMove: the case does not rest.
    """
    moved = moves.wake(replace(case, snoozed_until=at), at=at) if case.status is Status.SNOOZED else None
    if moved is None:
        raise IllegalMove("be woken", case.status, case.id)
    entries = tuple(replace(entry, by=by) for entry in moved.timeline)
    return replace(moved, case=replace(moved.case, moved_by=by), timeline=entries)
