"""What is shown of a case: pure functions from a case and the instant to the words of a row and a page."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from casework import words
from casework.case import WITH_PEOPLE, Case, Move, Standing, due_next, standing
from casework.moves import as_of
from casework.sla import Promise, PromiseState
from casework.timeline import TimelineEntry

EXCERPT = 220
NOBODY = "–"


@dataclass(frozen=True, slots=True)
class State:
    """How a case stands: always a word and a shape, never colour alone."""

    word: str
    style: str
    shape: str


@dataclass(frozen=True, slots=True)
class Due:
    """The promise that is due next: when, and what is left in words."""

    name: str
    at: datetime
    left: str
    late: bool

    @property
    def ms(self) -> int:
        """When it is due, in milliseconds since 1970, for the browser's countdown."""
        return int(self.at.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Row:
    """One case in the queue."""

    id: str
    version: int
    platform: str
    platform_name: str
    state: State
    due: Due | None
    who: str
    handle: str
    what: str
    mood: str
    post: str
    owner: str
    mine: bool
    waiting: bool
    status: str
    rank: tuple[int, float, str]


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the queue somebody wants to see; empty means everything."""

    platform: str = ""
    standing: str = ""
    owner: str = ""
    words: str = ""

    def match(self, row: Row) -> bool:
        """Whether a row is wanted."""
        if self.platform and row.platform != self.platform:
            return False
        if self.standing and row.state.style != self.standing:
            return False
        if self.owner == "mine" and not row.mine:
            return False
        if self.owner == "nobody" and row.owner != NOBODY:
            return False
        text = " ".join((row.id, row.who, row.handle, row.what, row.post, row.owner)).casefold()
        return self.words.casefold() in text

    @property
    def any(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.platform or self.standing or self.owner or self.words)


def state_of(case: Case, now: datetime) -> State:
    """How the case stands at an instant."""
    word = standing(as_of(case, now))
    style, shape = words.SHAPES[word]
    return State(str(word), style, shape)


def promise_state(promise: Promise) -> State:
    """How one promise that is still owed stands."""
    words_of = {PromiseState.BREACHED: Standing.LATE, PromiseState.AT_RISK: Standing.AT_RISK}
    word = words_of.get(promise.state, Standing.ON_TIME)
    style, shape = words.SHAPES[word]
    return State(str(word), style, shape)


def due_of(case: Case, now: datetime) -> Due | None:
    """The promise that is due next, if any is still owed."""
    promise = due_next(case)
    if promise is None or not case.open:
        return None
    rest = promise.due_at - now
    return Due(promise.name, promise.due_at, words.left(rest), promise.due_at <= now)


def row(case: Case, now: datetime, *, you: str = "") -> Row:
    """The case as a row of the queue."""
    state, due, judged = state_of(case, now), due_of(case, now), case.classification
    text = words.visible(case.last.text).strip()
    short = text if len(text) <= EXCERPT else text[: EXCERPT - 1].rstrip() + "…"
    return Row(
        id=case.id,
        version=case.version,
        platform=case.platform,
        platform_name=words.platform_name(case.platform),
        state=state,
        due=due,
        who=words.visible(case.author.name or case.author.handle) or "deleted author",
        handle=words.visible(case.author.handle),
        what=str(judged.intent) if judged else "not judged yet",
        mood=f"{judged.sentiment}, {judged.urgency}" if judged else "",
        post=short or "The author deleted this post.",
        owner=words.visible(case.owner) if case.owner else NOBODY,
        mine=bool(you) and case.owner == you,
        waiting=case.status in WITH_PEOPLE,
        status=words.status_of(case),
        rank=_rank(case, state, due),
    )


def _rank(case: Case, state: State, due: Due | None) -> tuple[int, float, str]:
    if state.word == Standing.LATE or (due is not None and due.late):
        group = 0
    else:
        group = 2 if state.word == Standing.SNOOZED or due is None else 1
    return (group, due.at.timestamp() if due else case.opened_at.timestamp(), case.id)


def ranked(cases: Iterable[Case], now: datetime, *, you: str = "") -> list[Row]:
    """The cases as rows: late first, then by the promise that is due next, snoozed last."""
    return sorted((row(case, now, you=you) for case in cases), key=lambda shown: shown.rank)


def counts_of(styles: Mapping[str, int]) -> dict[str, int]:
    """How many wait, how many of them late, at risk and not sent, from how many stand in each style."""
    told = {name: styles.get(name, 0) for name in ("late", "at-risk", "not-sent")}
    return {"waiting": sum(styles.values()), **told}


def counted(rows: Iterable[Row]) -> dict[str, int]:
    """The counts above the queue."""
    return counts_of(Counter(shown.state.style for shown in rows))


# ── the case page ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the conversation: the customer's mention, our reply, or a colleague's note."""

    kind: str
    who: str
    at: datetime
    text: str
    about: str = ""
    link: str = ""
    reply_id: str = ""


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the timeline, in words."""

    at: datetime
    who: str
    what: str
    detail: str
    version: int


@dataclass(frozen=True, slots=True)
class Owed:
    """One promise of the case, in words; ``counts_down`` while a reply is still owed under it."""

    name: str
    words: str
    style: str
    due: datetime
    counts_down: bool
    more: str = ""

    @property
    def ms(self) -> int:
        """When it is due, in milliseconds since 1970, for the browser's countdown."""
        return int(self.due.timestamp() * 1000)


def safe_link(url: str | None) -> str:
    """The post's address if a browser may be sent there, else nothing."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def conversation(case: Case, timeline: Iterable[TimelineEntry]) -> list[Said]:
    """What was said, oldest first: mentions and replies in public, notes among colleagues."""
    name = words.visible(case.author.name or case.author.handle) or "deleted author"
    said = [
        Said(
            "mention",
            name,
            mention.created_at,
            words.visible(mention.text) or "The author deleted this post.",
            link=safe_link(mention.url),
        )
        for mention in case.mentions
    ]
    for reply in case.replies:
        how = "by hand" if reply.by_hand else "automatic" if reply.automatic else ""
        about = ", ".join(part for part in (str(reply.kind), how) if part)
        who = words.person(reply.decided_by)
        said.append(
            Said("reply", who, reply.posted_at, words.visible(reply.text), about=about, reply_id=reply.id)
        )
    said += [
        Said("note", words.visible(entry.by), entry.at, words.visible(entry.detail), about="internal note")
        for entry in timeline
        if entry.what == Move.NOTE
    ]
    return sorted(said, key=lambda line: line.at)


def happenings(timeline: Iterable[TimelineEntry]) -> list[Happened]:
    """The timeline in words, newest first. Notes keep their words to the conversation."""
    lines = []
    for entry in timeline:
        done = words.DONE[Move(entry.what)] if entry.what in set(Move) else entry.what
        detail = "" if entry.what == Move.NOTE else words.visible(entry.detail)
        lines.append(Happened(entry.at, words.person(entry.by), done, detail, entry.version))
    return lines[::-1]


def owed(case: Case, now: datetime) -> list[Owed]:
    """Each promise of the case, in words."""
    still = case.pause is not None
    return [
        _standing_still(promise)
        if still and promise.state.running and promise.running
        else _owed(promise, now)
        for promise in as_of(case, now).promises
    ]


def _standing_still(promise: Promise) -> Owed:
    return Owed(
        promise.name,
        "stands still",
        "quiet",
        promise.due_at,
        counts_down=False,
        more="and later by the pause",
    )


def _owed(promise: Promise, now: datetime) -> Owed:
    heard = promise.acknowledged_by
    more = f"alarm acknowledged by {words.person(heard)}" if heard else ""
    if promise.settled_at is not None:
        met = promise.state is PromiseState.MET
        text, style = ("kept", "answered") if met else ("not kept", "late")
        return Owed(promise.name, text, style, promise.due_at, counts_down=False, more=more)
    text, style = words.left(promise.due_at - now), promise_state(promise).style
    return Owed(promise.name, text, style, promise.due_at, counts_down=True, more=more)
