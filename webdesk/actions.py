"""What a person can do to a case, once for the pages and the API: the move, bound to what they saw."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from casework import moves
from casework.case import Case, Move, Moved
from casework.errors import Conflict, HeardError, TextChanged
from webdesk.desk import Desk, Hard
from webdesk.words import platform_name

LONGEST_TEXT = 20_000
LONGEST_NAME = 80
LONGEST_SNOOZE = timedelta(days=90)


class Action(StrEnum):
    """The moves that people make, named as in their addresses."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    TAKE = "take"
    SNOOZE = "snooze"
    CLOSE = "close"
    NOTE = "note"
    ESCALATE = "escalate"
    REOPEN = "reopen"
    POSTED = "posted"
    HUSH = "hush"


IN_API = (Action.APPROVE, Action.EDIT, Action.REJECT, Action.TAKE, Action.SNOOZE, Action.CLOSE, Action.NOTE)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person asks for: the version they saw, their name, and what the action needs."""

    version: int
    by: str
    draft_sha256: str = ""
    text: str = ""
    reason: str = ""
    until: datetime | None = None
    to: str = ""


class Refused(HeardError):
    """The request itself is wrong: each problem is a plain sentence."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


async def perform(desk: Desk, case_id: str, action: Action, ask: Ask) -> Case:
    """Make the move, unless a person changed the case since ``ask.version``.

    A clock that only looked at the case in between took nothing from anybody: the click still counts.

    Raises:
        Refused: something is missing or wrong in ``ask``.
        Conflict: somebody was faster.
        HeardError: the move is not allowed, or there is no such case.
    """
    problems = _problems(desk, action, ask)
    if problems:
        raise Refused(*problems)

    def decide(case: Case) -> Moved:
        if ask.draft_sha256 and (case.draft is None or case.draft.sha256 != ask.draft_sha256):
            raise TextChanged(case.id)
        return _MOVES[action](desk, case, ask)

    try:
        return await desk.store.move(case_id, decide, seen_version=ask.version)
    except Conflict as conflict:
        if not await _only_the_clock(desk, case_id, ask.version, conflict):
            raise
        return await desk.store.move(case_id, decide, seen_version=conflict.version)


async def _only_the_clock(desk: Desk, case_id: str, seen: int, conflict: Conflict) -> bool:
    # Checked on the timeline up to the version that the second try is bound to.
    entries = await desk.store.timeline(case_id)
    since = [entry.what for entry in entries if seen < entry.version <= conflict.version]
    return len(since) == conflict.version - seen > 0 and set(since) <= {Move.WAKE, Move.TELL}


def objections(desk: Desk, case: Case, text: str) -> list[str]:
    """What speaks against a text, as sentences; the platform's limit first unless the check names it."""
    found = [_sentence(words) for words in desk.check(case, text)]
    used, limit = desk.measure(case.platform, text)
    if used > limit and not any(isinstance(words, Hard) for words in found):
        where = platform_name(case.platform)
        found.insert(0, Hard(f"The text is {used - limit} too long for {where}: {used} of {limit}."))
    return found


def _sentence(words: str) -> str:
    said = words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")
    return Hard(said) if isinstance(words, Hard) else said


def _problems(desk: Desk, action: Action, ask: Ask) -> list[str]:
    problems = []
    if not ask.by.strip() or len(ask.by) > LONGEST_NAME or not ask.by.isprintable():
        problems.append(f"Say who you are: a name of 1 to {LONGEST_NAME} characters on one line.")
    if ask.by.strip().casefold() == moves.HEARD:
        problems.append("The name heard is the bot's own; use yours.")
    if action is Action.APPROVE and not ask.draft_sha256:
        problems.append("Approving needs draft_sha256: the fingerprint of the text that was read.")
    if action in (Action.EDIT, Action.NOTE, Action.POSTED) and not ask.text.strip():
        problems.append("The text is empty.")
    if action in (Action.REJECT, Action.CLOSE, Action.ESCALATE) and not ask.reason.strip():
        problems.append("Give a reason: colleagues and the next draft need it.")
    if action is Action.ESCALATE and not ask.to.strip():
        problems.append("Say who shall have the case.")
    if action is Action.SNOOZE:
        problems += _until_problems(ask.until, desk.clock.now())
    if max(len(ask.text), len(ask.reason), len(ask.to)) > LONGEST_TEXT:
        problems.append(f"That is longer than {LONGEST_TEXT} characters.")
    return problems


def _until_problems(until: datetime | None, now: datetime) -> list[str]:
    if until is None:
        return ["Say until when."]
    if until <= now:
        return ["That time is past; snooze until a later one."]
    if until - now > LONGEST_SNOOZE:
        return [f"A case rests at most {LONGEST_SNOOZE.days} days; close it instead."]
    return []


def _approve(desk: Desk, case: Case, ask: Ask) -> Moved:
    moved = moves.approve(case, by=ask.by, at=desk.clock.now(), draft_sha256=ask.draft_sha256)
    if case.draft is not None:
        _refuse_hard(desk, case, case.draft.text)
    return moved


def _edit(desk: Desk, case: Case, ask: Ask) -> Moved:
    moved = moves.edit(
        case, by=ask.by, at=desk.clock.now(), text=ask.text, draft_id=f"{case.id}-edit-{case.version + 1}"
    )
    _refuse_hard(desk, case, ask.text)
    return moved


def _refuse_hard(desk: Desk, case: Case, text: str) -> None:
    hard = [words for words in objections(desk, case, text) if isinstance(words, Hard)]
    if hard:
        raise Refused(*hard)


def _reject(desk: Desk, case: Case, ask: Ask) -> Moved:
    return moves.reject(case, by=ask.by, at=desk.clock.now(), reason=ask.reason.strip())


def _take(desk: Desk, case: Case, ask: Ask) -> Moved:
    return moves.take(case, by=ask.by, at=desk.clock.now())


def _snooze(desk: Desk, case: Case, ask: Ask) -> Moved:
    now = desk.clock.now()
    return moves.snooze(case, by=ask.by, at=now, until=ask.until or now)


def _close(desk: Desk, case: Case, ask: Ask) -> Moved:
    return moves.close(case, by=ask.by, at=desk.clock.now(), reason=ask.reason.strip())


def _note(desk: Desk, case: Case, ask: Ask) -> Moved:
    return moves.note(case, by=ask.by, at=desk.clock.now(), text=ask.text.strip())


def _escalate(desk: Desk, case: Case, ask: Ask) -> Moved:
    return moves.escalate(case, by=ask.by, at=desk.clock.now(), to=ask.to.strip(), reason=ask.reason.strip())


def _reopen(desk: Desk, case: Case, ask: Ask) -> Moved:
    return moves.reopen(case, by=ask.by, at=desk.clock.now(), promises=desk.promises)


def _posted(desk: Desk, case: Case, ask: Ask) -> Moved:
    return moves.post_by_hand(case, by=ask.by, at=desk.clock.now(), text=ask.text)


def _hush(desk: Desk, case: Case, ask: Ask) -> Moved:
    return moves.hush(case, by=ask.by, at=desk.clock.now())


_MOVES: dict[Action, Callable[[Desk, Case, Ask], Moved]] = {
    Action.APPROVE: _approve,
    Action.EDIT: _edit,
    Action.REJECT: _reject,
    Action.TAKE: _take,
    Action.SNOOZE: _snooze,
    Action.CLOSE: _close,
    Action.NOTE: _note,
    Action.ESCALATE: _escalate,
    Action.REOPEN: _reopen,
    Action.POSTED: _posted,
    Action.HUSH: _hush,
}


async def edit_and_send(desk: Desk, case_id: str, ask: Ask) -> Case:
    """Save a person's own text and approve exactly it."""
    edited = await perform(desk, case_id, Action.EDIT, ask)
    sha256 = edited.draft.sha256 if edited.draft else ""
    again = replace(ask, version=edited.version, draft_sha256=sha256)
    return await perform(desk, case_id, Action.APPROVE, again)
