"""Measures a classifier on labelled rows, beside baselines that answer for the same rows.

`evaluate` gives the figures; `classifier.evaluation_text` makes a table or JSON of them. Every head is
measured on the rows that have a label of it. An urgency of critical, told or true, counts as high.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from casework.classification import Classification, Intent, Urgency
from classifier import figures
from classifier.baselines import Answers, Read, Training, answers, read
from classifier.examples import HEADS
from classifier.figures import Counts, Interval, Labels, Shares
from classifier.labelled import LabelledRow, learnable

COVERAGE_AT = (0.90, 0.95)
SURE_SHARE = 0.3

_JUDGED_AT_ONCE = 128
# The intents with enough rows to say anything about one by one.
_MAIN_INTENTS = (Intent.BUG, Intent.QUESTION, Intent.COMPLAINT, Intent.OTHER)


class Judging(Protocol):
    """What is measured: anything that classifies texts, such as `classifier.model.Classifier`."""

    @property
    def name(self) -> str:
        """What the figures are of."""

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """Judge each text, in order."""


Figures = Mapping[str, float]
"""Figures by name: accuracy, macro_f1 and macro_recall, then the head's own."""


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How well one label is told; ``n`` rows have it."""

    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True, slots=True)
class SourceScore:
    """The rows of one source; ``majority`` is the share of the largest class in it."""

    n: int
    accuracy: float
    macro_f1: float
    majority: float
    baselines: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class BaselineScore:
    """A baseline's figures, and for each the interval of how much better the model is."""

    figures: Figures
    gain: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class HeadScore:
    """One head on the rows that have a label of it."""

    n: int
    figures: Figures
    intervals: Mapping[str, Interval]
    calibration_error: float
    surest: float
    coverage: Mapping[float, float]
    labels: Mapping[str, LabelScore]
    sources: Mapping[str, SourceScore]
    baselines: Mapping[str, BaselineScore]
    unmeasured: Mapping[str, str]
    trained_on: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that one evaluation measured; ``left_out`` training rows were among the measured."""

    model: str
    n: int
    heads: Mapping[str, HeadScore]
    left_out: int


def evaluate(
    classifier: Judging,
    rows: Sequence[LabelledRow],
    training: Training,
    progress: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Measure the classifier and the baselines on the rows; ``progress`` hears how many more are judged."""
    measured = read(rows)
    apart = training.without(measured)
    verdicts = _verdicts(classifier, rows, progress)
    heads: dict[str, HeadScore] = {}
    for head in HEADS:
        places = [place for place, row in enumerate(rows) if head in row.labels]
        if places:
            here, said = [measured[place] for place in places], [verdicts[place] for place in places]
            heads[head] = _head(head, here, said, answers(head, here, apart), len(apart.examples(head)))
    return Evaluation(classifier.name, len(rows), heads, apart.left_out)


def _verdicts(
    classifier: Judging, rows: Sequence[LabelledRow], progress: Callable[[int], None]
) -> list[Classification]:
    verdicts: list[Classification] = []
    for start in range(0, len(rows), _JUDGED_AT_ONCE):
        texts = [row.text for row in rows[start : start + _JUDGED_AT_ONCE]]
        verdicts += classifier.classify(texts)
        progress(len(texts))
    return verdicts


def _head(
    head: str, rows: Sequence[Read], verdicts: Sequence[Classification], others: Answers, trained_on: int
) -> HeadScore:
    truth = np.array([one.row.labels[head] for one in rows])
    told, sure = _told(head, verdicts), _sure(head, verdicts)
    counts = figures.counted(truth, told, len(HEADS[head]))
    return HeadScore(
        n=len(rows),
        figures=_scores(head, counts),
        intervals=_intervals(head, counts),
        calibration_error=figures.calibration_error(truth == told, sure),
        surest=figures.accuracy_of_surest(truth == told, sure, SURE_SHARE),
        coverage={wanted: figures.coverage(truth == told, sure, wanted) for wanted in COVERAGE_AT},
        labels=_labels(head, counts),
        sources=_sources(head, rows, truth, told, others.told),
        baselines={name: _baseline(head, truth, told, theirs) for name, theirs in others.told.items()},
        unmeasured=others.unmeasured,
        trained_on=trained_on,
    )


def _told(head: str, verdicts: Sequence[Classification]) -> Labels:
    answer: Callable[[Classification], str] = {
        "sentiment": lambda one: one.sentiment,
        "intent": lambda one: one.intent,
        "urgency": lambda one: learnable(one.urgency),
    }[head]
    return np.array([HEADS[head].index(answer(one)) for one in verdicts])


def _sure(head: str, verdicts: Sequence[Classification]) -> Shares:
    confidence: Callable[[Classification], float] = {
        "sentiment": lambda one: one.confidence.sentiment,
        "intent": lambda one: one.confidence.intent,
        "urgency": lambda one: one.confidence.urgency,
    }[head]
    return np.array([confidence(one) for one in verdicts], dtype=np.float64)


def _measures(head: str) -> dict[str, Callable[[Counts], Shares]]:
    """How each figure of a head is read from its table of counts."""
    at = {str(name): place for place, name in enumerate(HEADS[head])}
    measures: dict[str, Callable[[Counts], Shares]] = {
        "accuracy": figures.accuracy,
        "macro_f1": figures.macro_f1,
        "macro_recall": figures.macro_recall,
    }
    if head == "intent":
        main = [at[intent] for intent in _MAIN_INTENTS]
        measures["macro_f1_main4"] = lambda counts: figures.mean_f1_of(counts, main)
    if head == "urgency":
        high, answered = at[Urgency.HIGH], [at[Urgency.NORMAL], at[Urgency.HIGH]]
        measures["macro_f1_3"] = lambda counts: figures.mean_f1_of(counts, list(at.values()))
        measures["recall_high"] = lambda counts: figures.recall(counts)[..., high]
        measures["precision_high"] = lambda counts: figures.precision(counts)[..., high]
        measures["needs_reply_f1"] = lambda counts: figures.f1_of_any(counts, answered)
    return measures


def _scores(head: str, counts: Counts) -> dict[str, float]:
    return {name: float(measure(counts)) for name, measure in _measures(head).items()}


def _intervals(head: str, counts: Counts) -> dict[str, Interval]:
    drawn = figures.drawn_again(counts)
    intervals = {
        name: figures.interval(measure(drawn), float(measure(counts)))
        for name, measure in _measures(head).items()
    }
    return {**intervals, "accuracy": figures.wilson(int(np.trace(counts)), int(counts.sum()))}


def _labels(head: str, counts: Counts) -> dict[str, LabelScore]:
    precision, recall, f1 = figures.precision(counts), figures.recall(counts), figures.f1(counts)
    return {
        str(name): LabelScore(float(precision[at]), float(recall[at]), float(f1[at]), int(counts[at].sum()))
        for at, name in enumerate(HEADS[head])
    }


def _sources(
    head: str, rows: Sequence[Read], truth: Labels, told: Labels, others: Mapping[str, Labels]
) -> dict[str, SourceScore]:
    places: dict[str, list[int]] = {}
    for place, one in enumerate(rows):
        places.setdefault(one.row.source, []).append(place)
    scores: dict[str, SourceScore] = {}
    for source in sorted(places):
        here = np.array(places[source])
        counts = figures.counted(truth[here], told[here], len(HEADS[head]))
        scores[source] = SourceScore(
            n=len(here),
            accuracy=float(figures.accuracy(counts)),
            macro_f1=float(figures.macro_f1(counts)),
            majority=float(counts.sum(1).max() / len(here)),
            baselines={name: float((truth[here] == theirs[here]).mean()) for name, theirs in others.items()},
        )
    return scores


def _baseline(head: str, truth: Labels, told: Labels, theirs: Labels) -> BaselineScore:
    size = len(HEADS[head])
    # Both answer for the same drawn rows: what they share cancels out.
    both = figures.drawn_again(figures.counted_both(truth, told, theirs, size))
    ours, other = both.sum(3), both.sum(2)
    return BaselineScore(
        figures=_scores(head, figures.counted(truth, theirs, size)),
        gain={
            name: figures.interval(measure(ours) - measure(other))
            for name, measure in _measures(head).items()
        },
    )
