"""The words people see: what was done, how long ago, how long is left, and text with nothing hidden in it."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from casework.case import Case, Move, Standing, Status
from casework.classification import Classification, Doubt
from casework.errors import Conflict, HeardError, IllegalMove, NotAllowedHere, TextChanged
from casework.moves import HEARD
from casework.reply import Permission, Way

PLATFORMS = {"x": "X", "reddit": "Reddit", "bluesky": "Bluesky", "mastodon": "Mastodon", "replay": "Replay"}

DONE = {
    Move.HEAR: "took this in",
    Move.JOIN: "heard from the customer again",
    Move.CLASSIFY: "labelled this",
    Move.RELABEL: "corrected the labels",
    Move.IGNORE: "set this aside",
    Move.ACKNOWLEDGE: "acknowledged this",
    Move.DRAFT: "wrote a draft",
    Move.HOLD: "asked for a person",
    Move.APPROVE: "approved this",
    Move.EDIT: "edited the draft",
    Move.REJECT: "rejected the draft",
    Move.TAKE: "took this",
    Move.RELEASE: "released this",
    Move.SNOOZE: "snoozed this",
    Move.PAUSE: "paused its promises",
    Move.RESUME: "let its promises run again",
    Move.RECOUNT: "counted what is owed anew",
    Move.CLOSE: "closed this",
    Move.NOTE: "left a note",
    Move.REOPEN: "reopened this",
    Move.ESCALATE: "handed this on",
    Move.POST_BY_HAND: "answered this by hand",
    Move.BEGIN_SENDING: "began sending the reply",
    Move.STOP_SENDING: "stopped the reply",
    Move.SENT: "sent the reply",
    Move.REFUSE: "was refused by the platform",
    Move.LOSE_TRACK: "lost track of the reply",
    Move.WAIT: "waits until the platform takes the reply",
    Move.RESEND: "sent the reply again",
    Move.ASK_BACK: "asked for the reply to be deleted",
    Move.TAKE_BACK: "deleted the reply on the platform",
    Move.WAKE: "looked at the clock",
    Move.TELL: "told people",
    Move.HUSH: "acknowledged the alarm",
    Move.AMEND: "took in an edited post",
    Move.WITHDRAW: "removed a deleted post",
    Move.EXPIRE: "let the words of the posts go",
    Move.ERASE: "erased this",
}
"""What somebody did, after their name: "Nina approved this"."""

_UNSURE_OF = {
    Doubt.INTENT: "what is wanted",
    Doubt.URGENCY: "how soon",
    Doubt.SENTIMENT: "how it is meant",
}

SHAPES = {
    Standing.ON_TIME: ("on-time", "●"),
    Standing.AT_RISK: ("at-risk", "▲"),
    Standing.LATE: ("late", "■"),
    Standing.ANSWERED: ("answered", "✔"),
    Standing.SNOOZED: ("snoozed", "◗"),
    Standing.NOT_SENT: ("not-sent", "✖"),
    Standing.CLOSED: ("closed", "○"),
}
"""The style and the shape that go with each word, so that colour never says it alone."""

STATUS = {
    Status.NEW: "Being read",
    Status.CLASSIFIED: "Being answered",
    Status.IGNORED: "No reply needed",
    Status.ACKNOWLEDGED: "Acknowledged, answer still due",
    Status.DRAFTED: "Draft waits for you",
    Status.APPROVED: "Approved, about to be sent",
    Status.SENDING: "Sending…",
    Status.ANSWERED: "Answered",
    Status.CLOSED: "Closed",
    Status.SNOOZED: "Snoozed",
    Status.HELD: "Needs a person",
    Status.UNKNOWN: "Sent? Heard is looking for the reply",
    Status.FAILED: "Not sent: nothing was published",
    Status.ERASED: "Erased",
}


def status_of(case: Case) -> str:
    """Where the case stands: as `STATUS`, or that its reply waits until the platform takes it."""
    if case.status is Status.APPROVED and case.look_at is not None:
        return "Approved, waits its turn"
    return STATUS[case.status]


# Bidirectional controls, invisible spaces, tag characters and other controls (T3). The joiners and
# marks that emoji, Persian and Arabic need stay as they are.
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text with every hidden control written out, so that what is read is what is there."""
    return _HIDDEN.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", text)


def platform_name(platform: str) -> str:
    """The platform as people write it."""
    return PLATFORMS.get(platform, platform.title())


def person(by: str, *, you: str = "") -> str:
    """Who moved, at the beginning of a sentence."""
    if by == HEARD:
        return "Heard"
    return "You" if you and by == you else visible(by)


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def ago(since: timedelta) -> str:
    """A length of time in the past: "20 seconds ago"."""
    seconds = max(0, int(since.total_seconds()))
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{_count(seconds // size, unit)} ago"
    return f"{_count(seconds, 'second')} ago" if seconds else "just now"


def left(until: timedelta) -> str:
    """What is left of a promise, or how late it is. The browser's clock.js says the same words."""
    seconds = int(until.total_seconds() // 1)
    late = seconds < 0
    seconds = abs(seconds)
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        words = f"{days} d {hours} h"
    elif hours:
        words = f"{hours} h {minutes} min"
    elif late:
        words = f"{minutes} min" if minutes else f"{seconds} s"
    else:
        words = f"{minutes}:{seconds % 60:02d}"
    return f"{words} late" if late else f"{words} left"


def clock_time(instant: datetime, timezone: str, now: datetime) -> str:
    """An instant on the brand's wall clock, with the day unless it is today."""
    zone = ZoneInfo(timezone)
    local, today = instant.astimezone(zone), now.astimezone(zone)
    hour = f"{local:%H:%M}"
    return hour if local.date() == today.date() else f"{local.day} {local:%b} {hour}"


def too_late(conflict: Conflict, moved_at: datetime | None, *, now: datetime, you: str = "") -> str:
    """What somebody reads whose click came second."""
    when = ago(now - moved_at) if moved_at else ""
    if conflict.move == Move.JOIN:
        return f"The customer wrote again {when}, so your click did nothing. Read it again."
    done = DONE[Move(conflict.move)] if conflict.move in set(Move) else conflict.move
    return f"{person(conflict.won_by, you=you)} already {done} {when}, so your click did nothing."


_REFUSED = {
    Move.APPROVE: "be approved",
    Move.EDIT: "be edited",
    Move.REJECT: "have its draft rejected",
    Move.TAKE: "be taken",
    Move.RELEASE: "be released",
    Move.SNOOZE: "be snoozed",
    Move.PAUSE: "have its promises paused",
    Move.RESUME: "have its promises run again",
    Move.CLOSE: "be closed",
    Move.NOTE: "get a note",
    Move.REOPEN: "be reopened",
    Move.ESCALATE: "be handed on",
    Move.POST_BY_HAND: "be answered by hand",
    Move.HUSH: "have its alarm acknowledged",
}


def refused(error: HeardError) -> str:
    """Why a move was not made, in a sentence for whoever asked for it."""
    if isinstance(error, TextChanged):
        return "The draft changed since you read it, so your click did nothing. Read it again."
    if isinstance(error, NotAllowedHere):
        rule = f" (rule {error.rule})" if error.rule else ""
        return f"This cannot be answered from here: {error.why}{rule}."
    if isinstance(error, IllegalMove) and error.move in set(Move):
        return f"This case is {error.status}, so it cannot {_REFUSED.get(Move(error.move), error.move)}."
    if isinstance(error, IllegalMove) and error.move.endswith("without a draft"):
        return "This case has no draft, so there is nothing to decide. Write a reply first."
    words = str(error)
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")


def permission_words(permission: Permission | None, platform: str) -> str:
    """Whether Heard may post here, and by which rule, in a sentence."""
    name = platform_name(platform)
    if permission is None:
        return f"Can be sent to {name} from here."
    rule = f" (rule {permission.rule})" if permission.rule else ""
    why = visible(permission.why)
    if permission.way is Way.SEND:
        return f"Can be sent to {name} from here{f': {why}' if why else ''}{rule}."
    if permission.way is Way.BY_HAND:
        why = why or "the platform does not allow it"
        return f"Heard may not post this itself: {why}{rule}. Post it by hand."
    return f"No reply is allowed: {why or 'the rules forbid it'}{rule}."


def doubts_said(judged: Classification) -> str:
    """What the model is not sure of, as the end of a sentence; empty where it is sure of all."""
    unsure = [words for doubt, words in _UNSURE_OF.items() if doubt in judged.doubts]
    said = [f"not sure {_listed(unsure)}"] if unsure else []
    if Doubt.LANGUAGE in judged.doubts:
        said.append(f"the model does not read this language ({judged.language})")
    if Doubt.ORDERS in judged.doubts:
        said.append("the post speaks to the machine")
    return "; ".join(said)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
