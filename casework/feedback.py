"""What people's decisions teach: labelled rows, read from a case and its timeline and kept nowhere else.

A *correction* is a person's own labels. An *approval* is weaker: a person let an answer go out and left the
labels as they were. Each post gives one row at most, and what stands against it is a sentence. Since no row
is stored, a row comes to be with the move that it rests on, and goes with the words it is made of.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from casework.case import Case, Move
from casework.classification import Intent, Sentiment, Topic, Urgency
from casework.decisions import Labels
from casework.draft import ReplyKind
from casework.mention import Mention
from casework.moves import HEARD
from casework.reply import Reply
from casework.timeline import TimelineEntry


class Kind(StrEnum):
    """How strong a row is: a person said so, or a person let it stand."""

    CORRECTION = "correction"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One labelled post. ``source`` is its platform, ``model`` the weights that had judged it.

    Who decided is not in it: a model must not learn whose hand it was.
    """

    text: str
    labels: Labels
    source: str
    brand: str
    kind: Kind
    model: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A decision that gives no row, and why not, in a sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class LearningTerms:
    """Under which terms a brand learns from its desk.

    ``keep`` is the brand's own word that it may; ``against`` says what a platform's rules have against it,
    empty for nothing. It must refuse what it does not know.
    """

    brand: str
    keep: bool
    against: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What people decided about the labels of one post.

    ``edited``: the author changed the words afterwards. ``sure`` is false where the labels may have been
    kept from an earlier post of the case, to whose answer the customer still has a right.
    """

    mention: str
    labels: Labels
    kind: Kind
    model: str
    at: datetime
    edited: bool = False
    sure: bool = True


def rows_of(
    case: Case, timeline: Sequence[TimelineEntry], terms: LearningTerms, *, opted_out: bool = False
) -> Iterator[LabelledRow | LeftOut]:
    """A row for each post that people decided on, or why there is none.

    ``opted_out``: the author asked to be left alone.
    """
    for lesson in lessons(case, timeline):
        yield _row_of(_Asked(case, lesson, terms, opted_out))


def lessons(case: Case, timeline: Sequence[TimelineEntry]) -> tuple[Lesson, ...]:
    """What people decided, one for each post, the oldest post first; nothing is left out yet."""
    reading = _Reading(case)
    for entry in timeline:
        if entry.version <= case.version:
            reading.take(entry)
    return tuple(reading.found.values())


# ── what stands against a row ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Asked:
    case: Case
    lesson: Lesson
    terms: LearningTerms
    opted_out: bool

    @property
    def mention(self) -> Mention | None:
        return next((m for m in self.case.mentions if m.key == self.lesson.mention), None)


def _against_platforms(asked: _Asked) -> str:
    """What the rules of the post's platform say, and of the one that it is a copy from."""
    mention = asked.mention
    copied = (mention.cross_post_of or "").partition(":")[0] if mention else ""
    platforms = (asked.case.platform, copied) if copied else (asked.case.platform,)
    return next(filter(None, map(asked.terms.against, platforms)), "")


def _asked_to_stop(asked: _Asked) -> bool:
    judged = asked.case.classification
    return asked.opted_out or (judged is not None and Topic.OPT_OUT in judged.topics)


def _gone(asked: _Asked) -> bool:
    return asked.mention is None or not asked.mention.text.strip()


REASONS: Final[tuple[tuple[Callable[[_Asked], bool], str], ...]] = (
    (lambda asked: not asked.terms.keep, "brand.yaml does not say learning.keep: true"),
    (_asked_to_stop, "the author asked to be left alone"),
    (_gone, "the words are gone: deleted, or kept for as long as they may be"),
    (lambda asked: asked.lesson.edited, "the author edited the post afterwards"),
    (lambda asked: not asked.lesson.sure, "the labels may be those of an earlier post"),
)
"""What speaks against a row, after the platform's rules: the first that holds is said."""


def _row_of(asked: _Asked) -> LabelledRow | LeftOut:
    why = _against_platforms(asked) or next((said for holds, said in REASONS if holds(asked)), "")
    mention, lesson = asked.mention, asked.lesson
    if why or mention is None:
        return LeftOut(why)
    return LabelledRow(
        text=mention.text,
        labels=lesson.labels,
        source=mention.platform,
        brand=asked.terms.brand,
        kind=lesson.kind,
        model=lesson.model,
        at=lesson.at,
    )


# ── reading a timeline ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Judged:
    """The labels in force, and the post that was the last one when they were given."""

    labels: Labels
    mention: str
    model: str
    sure: bool = True
    corrected: bool = False


@dataclass(slots=True)
class _Reading:
    """Goes through a timeline once. ``order`` are the posts, ``settled`` how many have their answer."""

    case: Case
    order: list[str] = field(default_factory=list)
    settled: int = 0
    judged: _Judged | None = None
    found: dict[str, Lesson] = field(default_factory=dict)

    def take(self, entry: TimelineEntry) -> None:
        """One more entry; those that say nothing about labels pass by."""
        match entry.what:
            case Move.HEAR | Move.JOIN:
                self.order.append(entry.detail)
            case Move.CLASSIFY:
                self._classified(entry)
            case Move.RELABEL:
                self._corrected(entry)
            case Move.SENT:
                self._sent(entry)
            case Move.POST_BY_HAND:
                self.settled = len(self.order)
            case Move.AMEND:
                self._amended(entry.detail)
            case _:
                pass

    def _classified(self, entry: TimelineEntry) -> None:
        labels = _read(entry.detail)
        if labels is None or not self.order:
            return
        # `moves.classify` keeps the labels of an unanswered complaint over those of the "thanks" after it.
        waiting = len(self.order) - self.settled
        kept = self.judged is not None and self.judged.labels == labels and waiting > 1
        self.judged = _Judged(labels, self.order[-1], entry.model, sure=not kept)

    def _corrected(self, entry: TimelineEntry) -> None:
        labels = _read(entry.detail)
        if labels is None or not self.order:
            return
        model = self.judged.model if self.judged else ""
        self.judged = _Judged(labels, self.order[-1], model, corrected=True)
        self.found[self.order[-1]] = Lesson(self.order[-1], labels, Kind.CORRECTION, model, entry.at)

    def _sent(self, entry: TimelineEntry) -> None:
        reply = next((r for r in self.case.replies if entry.detail == f"{r.kind} {r.id}"), None)
        if reply is None or reply.kind is not ReplyKind.ANSWER:
            return
        if reply.answers in self.order:
            self.settled = self.order.index(reply.answers) + 1
        judged = self.judged
        if judged is None or judged.corrected or judged.mention != reply.answers or not _of_a_person(reply):
            return
        before = self.found.get(judged.mention)
        if before is None or before.edited:
            self.found[judged.mention] = Lesson(
                judged.mention, judged.labels, Kind.APPROVAL, judged.model, entry.at, sure=judged.sure
            )

    def _amended(self, mention: str) -> None:
        if mention in self.found:
            self.found[mention] = replace(self.found[mention], edited=True)
        if self.judged is not None and self.judged.mention == mention:
            self.judged = None


def _of_a_person(reply: Reply) -> bool:
    return not reply.automatic and not reply.by_hand and reply.decided_by != HEARD


def _read(detail: str) -> Labels | None:
    """The labels that `Classification.labels` wrote; None for what it did not write."""
    parts = detail.split(", ")
    try:
        return Labels(Sentiment(parts[0]), Intent(parts[1]), Urgency(parts[2]))
    except (ValueError, IndexError):
        return None
