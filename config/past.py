"""The last days of the user's own store as something to play: its mentions, their labels, people's answers.

The store is only read. What was judged, or corrected by a person, stays judged: the labels of a case are
those of each of its mentions. Cases whose words are gone are played with a stand-in for the words.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from casework.case import Case, Move, Status
from casework.classification import Classification, Topic
from casework.draft import ReplyKind
from casework.errors import HeardError
from casework.mention import Mention
from casework.timeline import TimelineEntry
from classifier.text import readable
from classifier.topics import topics_in
from config.answering import Deed
from config.whatif import Past
from config.wiring import Model
from platforms.feed import Feed, Recorded
from streams.case_store import CaseStore

NAME: Final = "last-days"
BUILT_IN: Final = frozenset(str(topic) for topic in Topic)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A model that judges as the store remembers; only vectors are made anew.

    A brand's own topics are words that the policy names, so under other words they are looked for again.
    Of two posts in the same words the newer case's labels count.
    """

    model: Model
    labels: Mapping[str, Classification]
    own: Mapping[str, Sequence[str]]
    wordless: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The weights that make the vectors."""
        return self.model.name

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        """The labels that each text has."""
        return [self._labels(text, topics or {}, handles) for text in texts]

    def _labels(
        self, text: str, topics: Mapping[str, Sequence[str]], handles: Collection[str] | None
    ) -> Classification:
        judged = self.labels[text]
        if text in self.wordless or topics == self.own:
            return judged
        found = topics_in(readable(text, handles), topics)
        kept = [topic for topic in judged.topics if topic in BUILT_IN]
        return replace(judged, topics=(*kept, *(topic for topic in found if topic not in BUILT_IN)))

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """One unit vector a text, in order."""
        return self.model.embed(texts, handles=handles)


async def last_days(
    cases: CaseStore, model: Model, own: Mapping[str, Sequence[str]], *, since: datetime, now: datetime
) -> tuple[Past, Remembered]:
    """The cases that were opened since an instant; ``own`` are the topics of the policy in force.

    Raises:
        HeardError: there are none.
    """
    gathered = _Gathered()
    async for case, timeline in _opened_since(cases, since):
        gathered.take(case, timeline)
        if await cases.opted_out(case.platform, case.author.id):
            gathered.opted_out.add((case.platform, case.author.id))
    if not gathered.mentions:
        raise HeardError(f"no case was opened since {since:%Y-%m-%d %H:%M} UTC that could be compared")
    return gathered.past(now), Remembered(model, gathered.labels, own, frozenset(gathered.stand_ins))


async def _opened_since(
    cases: CaseStore, since: datetime
) -> AsyncIterator[tuple[Case, Sequence[TimelineEntry]]]:
    """Newest first."""
    async for case in cases.every():
        if case.opened_at < since:
            return
        yield case, await cases.timeline(case.id)


class _Gathered:
    """What is found, case by case."""

    def __init__(self) -> None:
        self.mentions: list[Mention] = []
        self.labels: dict[str, Classification] = {}
        self.stand_ins: set[str] = set()
        self.wordless: set[str] = set()
        self.opted_out: set[tuple[str, str]] = set()
        self._asked_to_stop: set[tuple[str, str]] = set()
        self._deeds: list[Deed] = []
        self._case_ids: dict[str, str] = {}
        self._unjudged = 0

    def take(self, case: Case, timeline: Sequence[TimelineEntry]) -> None:
        """One more case; one that was erased or never judged is only counted."""
        judged = case.classification
        if judged is None or case.status is Status.ERASED:
            self._unjudged += 1
            return
        if Topic.OPT_OUT in judged.topics:
            self._asked_to_stop.add((case.platform, case.author.id))
        for mention in case.mentions:
            played = self._with_words(mention)
            self.mentions.append(played)
            self.labels.setdefault(played.text, judged)
        self._case_ids[case.mentions[0].key] = case.id
        self._deeds += _deeds(case, timeline)

    def _with_words(self, mention: Mention) -> Mention:
        if mention.text:
            return mention
        played = replace(mention, text=f"({mention.key}: its words are gone)")
        self.stand_ins.add(played.text)
        self.wordless.add(mention.key)
        return played

    def past(self, now: datetime) -> Past:
        """Everything together, in the order in which it was written."""
        ordered = sorted(self.mentions, key=lambda mention: (mention.created_at, mention.key))
        recorded = tuple(Recorded(mention, line) for line, mention in enumerate(ordered, start=1))
        by_key = {item.mention.key: item for item in recorded}
        return Past(
            feed=Feed(NAME, recorded, lines=len(recorded), by_key=by_key),
            deeds=tuple(self._deeds),
            until=now,
            wordless=frozenset(self.wordless),
            # Who asks in these days is heard to ask; who asked before them has asked already.
            opted_out=frozenset(self.opted_out - self._asked_to_stop),
            case_ids=self._case_ids,
            unjudged=self._unjudged,
        )


def _deeds(case: Case, timeline: Sequence[TimelineEntry]) -> Iterator[Deed]:
    for reply in case.replies:
        if reply.kind is ReplyKind.ANSWER:
            yield Deed(reply.posted_at, reply.answers)
    for entry in timeline:
        if entry.what == Move.CLOSE:
            yield Deed(entry.at, case.last.key, closed=True)
