"""One model of several: the bundled one, with single heads judged by models made elsewhere.

Topics, language and vectors are always the bundled model's, and what a word rule raised stays raised,
whatever another model says (T2).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from casework.classification import Classification, Doubt, Intent, Sentiment, Urgency
from classifier.choice import Choice, replaced_heads
from classifier.labels import Head
from classifier.model import Classifier
from classifier.others import Say, fetched
from classifier.pretrained import HeadVerdict, PretrainedHead
from classifier.topics import raised_urgency

SURE: Final = 0.5
"""A head of a model made elsewhere is in doubt below this share: nothing is known of how it errs."""


class Judging(Protocol):
    """What judges texts: `classifier.model.Classifier`, or several models as one."""

    @property
    def name(self) -> str:
        """The name of the weights."""
        ...

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        """One judgement a text, in order."""
        ...

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """One unit vector a text, in order."""
        ...


class JudgesHead(Protocol):
    """What judges one head: `classifier.pretrained.PretrainedHead`."""

    name: str
    head: Head

    def judge(self, texts: Sequence[str]) -> list[HeadVerdict]:
        """One verdict a text, in order."""
        ...


class Composed:
    """A model whose named heads are judged by others."""

    def __init__(self, base: Judging, heads: Sequence[JudgesHead]) -> None:
        self._base = base
        self._heads = tuple(heads)

    @property
    def name(self) -> str:
        """The names of all weights; it changes whenever one of them does."""
        return " + ".join([self._base.name, *(f"{head.head}: {head.name}" for head in self._heads)])

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        """Judge each text, in order; see `classifier.model.Classifier.classify`."""
        judged = self._base.classify(texts, topics=topics, handles=handles)
        for head in self._heads:
            pairs = zip(judged, head.judge(texts), strict=True)
            judged = [_with_head(verdict, head.head, said) for verdict, said in pairs]
        return [replace(verdict, model=self.name) for verdict in judged]

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """The bundled model's vectors."""
        return self._base.embed(texts, handles=handles)


def load(choice: Choice, *, threads: int, say: Say) -> Judging:
    """The model that the settings choose, fetched where that is needed; ``say`` is told what takes time.

    Raises:
        ModelUnavailable: one of the models cannot be had or run.
    """
    base = Classifier.load(choice.base, threads=threads)
    heads = [PretrainedHead.load(one) for one in replaced_heads(choice, lambda wanted: fetched(wanted, say))]
    for head in heads:
        say(f"{head.head} is judged by {head.name} on {head.device.type}")
    return Composed(base, heads) if heads else base


def _with_head(verdict: Classification, head: Head, said: HeadVerdict) -> Classification:
    judged = replace(
        verdict,
        confidence=replace(verdict.confidence, **{head: said.share}),
        doubts=_doubts(verdict.doubts, head, said.share),
        truncated=verdict.truncated or said.truncated,
    )
    match head:
        case "sentiment":
            return replace(judged, sentiment=Sentiment(said.label))
        case "intent":
            return replace(judged, intent=Intent(said.label))
        case "urgency":
            return _with_urgency(judged, Urgency(said.label))


def _with_urgency(verdict: Classification, said: Urgency) -> Classification:
    urgency = raised_urgency(said, verdict.topics)
    if urgency is said:
        return replace(verdict, urgency=said)
    # A rule does not guess, so what it raised is as sure as the rule.
    sure = replace(verdict.confidence, urgency=1.0)
    return replace(verdict, urgency=urgency, confidence=sure, doubts=_doubts(verdict.doubts, "urgency", 1.0))


def _doubts(before: Sequence[Doubt], head: Head, share: float) -> tuple[Doubt, ...]:
    doubted = {doubt for doubt in before if doubt != head} | ({Doubt(head)} if share < SURE else set())
    return tuple(doubt for doubt in Doubt if doubt in doubted)
