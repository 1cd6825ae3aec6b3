"""What people decide about a case, once for every desk: what they ask, what speaks against it, the move."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from casework import moves
from casework.case import LEGAL, Case, Move, Moved
from casework.classification import Classification, Confidence, Intent, Sentiment, Urgency
from casework.errors import HeardError, TextChanged
from casework.reply import Way
from casework.sla import Promises
from casework.words import platform_name

LONGEST_TEXT = 20_000
LONGEST_NAME = 80
LONGEST_SNOOZE = timedelta(days=90)


class Action(StrEnum):
    """The moves that people make, named as in their addresses."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    TAKE = "take"
    RELEASE = "release"
    SNOOZE = "snooze"
    AWAIT = "await"
    GO_ON = "go-on"
    CLOSE = "close"
    NOTE = "note"
    ESCALATE = "escalate"
    REOPEN = "reopen"
    POSTED = "posted"
    HUSH = "hush"
    RELABEL = "relabel"
    TAKE_BACK = "take-back"


IN_API = (
    Action.APPROVE,
    Action.EDIT,
    Action.REJECT,
    Action.TAKE,
    Action.SNOOZE,
    Action.AWAIT,
    Action.GO_ON,
    Action.CLOSE,
    Action.NOTE,
)


@dataclass(frozen=True, slots=True)
class Labels:
    """What a person says that the last mention is, where the model was wrong."""

    sentiment: Sentiment
    intent: Intent
    urgency: Urgency


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person asks for: the version they saw, their name, and what the action needs.

    ``to`` is whom a case is given to; ``again`` asks for another draft in the place of a rejected one.
    """

    version: int
    by: str
    draft_sha256: str = ""
    text: str = ""
    reason: str = ""
    until: datetime | None = None
    to: str = ""
    labels: Labels | None = None
    again: bool = False


class Refused(HeardError):
    """The request itself is wrong: each problem is a plain sentence."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Hard(str):
    """An objection that refuses a text; a plain string is shown and left to the person."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision is made under: the instant, the promises, and how a text is checked and counted.

    ``check`` names what speaks against a text: a `Hard` objection refuses it, a plain one is shown.
    ``measure`` counts it as the platform does: used, limit. ``approvals`` is how many people must approve
    a reply in the case.
    """

    now: datetime
    promises: Promises
    check: Callable[[Case, str], Sequence[str]]
    measure: Callable[[str, str], tuple[int, int]]
    approvals: Callable[[Case], int] = lambda _case: 1


def decide(case: Case, action: Action, ask: Ask, under: Circumstances) -> Moved:
    """The move that a person asks for.

    Raises:
        Refused: something is missing or wrong in ``ask``, or the text may not go out.
        HeardError: the move is not allowed.
    """
    problems = problems_of(action, ask, under.now)
    if problems:
        raise Refused(*problems)
    if ask.draft_sha256 and (case.draft is None or case.draft.sha256 != ask.draft_sha256):
        raise TextChanged(case.id)
    return _MOVES[action](under, case, ask)


def allowed(case: Case) -> frozenset[str]:
    """The moves that the case's status allows, by name; approving and rejecting need a draft."""
    legal = {str(move) for move, statuses in LEGAL.items() if case.status in statuses}
    if case.draft is None:
        legal -= {Move.APPROVE, Move.REJECT}
    if way(case) is not Way.SEND:
        legal -= {Move.APPROVE}
    if case.owner is None:
        legal -= {Move.RELEASE}
    legal -= {Move.RESUME} if case.pause is None else {Move.PAUSE}
    if not any(p.running and not p.state.running and not p.acknowledged_by for p in case.promises):
        legal -= {Move.HUSH}
    return frozenset(legal)


def way(case: Case) -> Way:
    """How a reply may reach the customer; nothing known against it means that Heard may send."""
    return case.permission.way if case.permission else Way.SEND


def objections(under: Circumstances, case: Case, text: str) -> list[str]:
    """What speaks against a text, as sentences; the platform's limit first unless the check names it."""
    found = [_sentence(words) for words in under.check(case, text)]
    used, limit = under.measure(case.platform, text)
    if used > limit and not any(isinstance(words, Hard) for words in found):
        where = platform_name(case.platform)
        found.insert(0, Hard(f"The text is {used - limit} too long for {where}: {used} of {limit}."))
    return found


def _sentence(words: str) -> str:
    said = words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")
    return Hard(said) if isinstance(words, Hard) else said


_FOR_COLLEAGUES = "Give a reason: colleagues and the next draft need it."
_REASONS = {
    Action.REJECT: _FOR_COLLEAGUES,
    Action.CLOSE: _FOR_COLLEAGUES,
    Action.ESCALATE: _FOR_COLLEAGUES,
    Action.AWAIT: "Say what the case waits for: its promises stand still until then.",
}


def problems_of(action: Action, ask: Ask, now: datetime) -> list[str]:
    """What is missing or wrong in what a person asks for, as sentences."""
    problems = []
    if not ask.by.strip() or len(ask.by) > LONGEST_NAME or not ask.by.isprintable():
        problems.append(f"Say who you are: a name of 1 to {LONGEST_NAME} characters on one line.")
    if ask.by.strip().casefold() == moves.HEARD:
        problems.append("The name heard is the bot's own; use yours.")
    if action is Action.APPROVE and not ask.draft_sha256:
        problems.append("Approving needs draft_sha256: the fingerprint of the text that was read.")
    if action in (Action.EDIT, Action.NOTE, Action.POSTED) and not ask.text.strip():
        problems.append("The text is empty.")
    if action in _REASONS and not ask.reason.strip():
        problems.append(_REASONS[action])
    if action is Action.ESCALATE and not ask.to.strip():
        problems.append("Say who shall have the case.")
    if action is Action.RELABEL and ask.labels is None:
        problems.append("Say which labels are right.")
    if action is Action.SNOOZE:
        problems += _until_problems(ask.until, now)
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


def _approve(under: Circumstances, case: Case, ask: Ask) -> Moved:
    needed = under.approvals(case)
    moved = moves.approve(case, by=ask.by, at=under.now, draft_sha256=ask.draft_sha256, needed=needed)
    if case.draft is not None:
        _refuse_hard(under, case, case.draft.text)
    return moved


def _edit(under: Circumstances, case: Case, ask: Ask) -> Moved:
    moved = moves.edit(
        case, by=ask.by, at=under.now, text=ask.text, draft_id=f"{case.id}-edit-{case.version + 1}"
    )
    _refuse_hard(under, case, ask.text)
    return moved


def _refuse_hard(under: Circumstances, case: Case, text: str) -> None:
    hard = [words for words in objections(under, case, text) if isinstance(words, Hard)]
    if hard:
        raise Refused(*hard)


def _reject(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.reject(case, by=ask.by, at=under.now, reason=ask.reason.strip(), again=ask.again)


def _take(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.take(case, by=ask.by, at=under.now, to=ask.to.strip())


def _release(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.release_case(case, by=ask.by, at=under.now, why=ask.reason.strip())


def _snooze(under: Circumstances, case: Case, ask: Ask) -> Moved:
    now = under.now
    return moves.snooze(case, by=ask.by, at=now, until=ask.until or now)


def _await(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.pause(case, by=ask.by, at=under.now, reason=ask.reason.strip())


def _go_on(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.resume(case, by=ask.by, at=under.now, promises=under.promises)


def _close(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.close(case, by=ask.by, at=under.now, reason=ask.reason.strip())


def _note(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.note(case, by=ask.by, at=under.now, text=ask.text.strip())


def _escalate(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.escalate(case, by=ask.by, at=under.now, to=ask.to.strip(), reason=ask.reason.strip())


def _reopen(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.reopen(case, by=ask.by, at=under.now, promises=under.promises)


def _posted(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.post_by_hand(case, by=ask.by, at=under.now, text=ask.text)


def _hush(under: Circumstances, case: Case, ask: Ask) -> Moved:
    return moves.hush(case, by=ask.by, at=under.now)


def _relabel(under: Circumstances, case: Case, ask: Ask) -> Moved:
    right, before = ask.labels, case.classification
    if right is None:
        raise Refused("Say which labels are right.")
    # A person is sure; what the word rules found in the text stands whatever anybody says (T2).
    judged = Classification(
        right.sentiment,
        right.intent,
        right.urgency,
        Confidence(1.0, 1.0, 1.0),
        topics=before.topics if before else (),
        language=before.language if before else "en",
        model=f"a person, over {before.model if before else 'nothing'}",
    )
    return moves.relabel(case, judged, by=ask.by, at=under.now, promises=under.promises)


def _take_back(under: Circumstances, case: Case, ask: Ask) -> Moved:
    last = next((reply.id for reply in reversed(case.replies) if reply.id), "")
    return moves.ask_back(case, by=ask.by, at=under.now, reply_id=ask.to.strip() or last)


_MOVES: dict[Action, Callable[[Circumstances, Case, Ask], Moved]] = {
    Action.APPROVE: _approve,
    Action.EDIT: _edit,
    Action.REJECT: _reject,
    Action.TAKE: _take,
    Action.RELEASE: _release,
    Action.SNOOZE: _snooze,
    Action.AWAIT: _await,
    Action.GO_ON: _go_on,
    Action.CLOSE: _close,
    Action.NOTE: _note,
    Action.ESCALATE: _escalate,
    Action.REOPEN: _reopen,
    Action.POSTED: _posted,
    Action.HUSH: _hush,
    Action.RELABEL: _relabel,
    Action.TAKE_BACK: _take_back,
}
