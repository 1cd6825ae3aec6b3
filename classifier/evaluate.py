"""Measures the classifier beside a bag-of-words baseline trained on exactly the same rows.

`evaluate` gives figures, `rendered` a table to read. Every figure comes with the number of rows it was
measured on and a 95 % interval: Wilson's for shares, the bootstrap's for the rest. The rows of brandgold
were labelled by AI language models of one family, and the table says so.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from casework.classification import Classification, Urgency
from casework.errors import HeardError
from classifier.examples import HEADS, BrandExample, brand_mentions, tweets
from classifier.text import model_input

_RESAMPLES = 1_000
_BINS = 10
_SEED = 7
_TWEETS_SAMPLED = 2_000
_BRANDGOLD = "brandgold validation"
# The labels with enough rows to say anything about one by one.
_MEASURABLE_INTENTS = ("bug", "question", "complaint", "other")

_Labels = NDArray[np.int64]
_Shares = NDArray[np.float64]


class Judging(Protocol):
    """What is measured: anything that classifies texts, such as `classifier.model.Classifier`."""

    @property
    def name(self) -> str:
        """What the figures are of."""

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """Judge each text, in order."""


class BaselineUnavailable(HeardError):
    """The baseline needs scikit-learn, which only comes with the development extras."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class HeadScore:
    """How well one system answers one question on one set of rows."""

    accuracy: Figure
    macro_f1: Figure
    macro_recall: Figure
    calibration_error: float
    f1_by_label: dict[str, float]
    recall_by_label: dict[str, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One head on one set of rows: the model, the baseline, and how much better the model is."""

    rows: str
    head: str
    n: int
    trained_on: int
    model: HeadScore
    baseline: HeadScore
    accuracy_gain: Figure
    macro_f1_gain: Figure

    @property
    def beats_baseline(self) -> bool:
        """Whether the model's macro-F1 is above the baseline's."""
        return self.model.macro_f1.value > self.baseline.macro_f1.value


@dataclass(frozen=True, slots=True)
class SourceScore:
    """Intent accuracy on the rows of one source, beside the baseline and the largest class."""

    source: str
    n: int
    model: Figure
    baseline: Figure
    majority: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that one evaluation measured."""

    name: str
    comparisons: tuple[Comparison, ...]
    intent_by_source: tuple[SourceScore, ...]
    intent_measurable: tuple[Figure, Figure]
    """Macro-F1 of bug, question, complaint and other: the model's and the baseline's."""
    needs_reply: tuple[Figure, Figure]
    """F1 of "needs a reply" (urgency above low): the model's and the baseline's."""
    surest: dict[str, tuple[int, float]]
    """Rows and intent accuracy among the most confident share of the model's answers."""
    seconds: float

    @property
    def beats_baseline_everywhere(self) -> bool:
        """Whether the model's macro-F1 is above the baseline's for every head on every set of rows."""
        return all(comparison.beats_baseline for comparison in self.comparisons)


def evaluate(classifier: Judging, data: Path, *, tweets_sampled: int = _TWEETS_SAMPLED) -> Evaluation:
    """Measure the classifier and the baseline on brandgold's validation rows and on tweets.

    ``data`` is the folder that holds ``brandgold`` and ``tweeteval_sentiment``. Of the tweets of
    TweetEval's test half ``tweets_sampled`` are judged; 0 leaves tweets out altogether, from the rows the
    baseline learns from as well, which is much faster.
    """
    started = time.monotonic()
    train, validation = brand_mentions(data, "train"), brand_mentions(data, "validation")
    tone = _tone(data) if tweets_sampled else []
    ours = _Answers.of(classifier, [row.text for row in validation])
    comparisons: list[Comparison] = []
    predicted: dict[str, _Labels] = {}
    for head in HEADS:
        examples = [(row.text, row.labels[head]) for row in train] + (tone if head == "sentiment" else [])
        predict = baseline(examples, len(HEADS[head]))
        truth = np.array([row.labels[head] for row in validation])
        shares = predict([row.text for row in validation])
        predicted[head] = shares.argmax(1)
        comparisons.append(
            _compared(_BRANDGOLD, head, len(examples), truth, ours.of_head(head), _answered(shares))
        )
        if head == "sentiment" and tweets_sampled:
            comparisons.append(_on_tweets(classifier, data, tweets_sampled, len(examples), predict))
    intent, urgency = _truth(validation, "intent"), _truth(validation, "urgency")
    return Evaluation(
        name=classifier.name,
        comparisons=tuple(comparisons),
        intent_by_source=_by_source(validation, intent, ours.labels["intent"], predicted["intent"]),
        intent_measurable=(
            _interval(intent, ours.labels["intent"], _measurable_f1),
            _interval(intent, predicted["intent"], _measurable_f1),
        ),
        needs_reply=(
            _interval(urgency, ours.labels["urgency"], _needs_reply_f1),
            _interval(urgency, predicted["urgency"], _needs_reply_f1),
        ),
        surest=_surest(intent, *ours.of_head("intent")),
        seconds=time.monotonic() - started,
    )


def _tone(data: Path) -> list[tuple[str, int]]:
    return [(row.text, row.sentiment) for row in tweets(data, "train")]


def baseline(examples: Sequence[tuple[str, int]], labels: int) -> Callable[[Sequence[str]], _Shares]:
    """A bag of words (and of letter groups) with logistic regression, trained on the examples.

    What it returns gives, for each text, the share of belief in each label. It reads the same prepared
    text as the model.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
        from sklearn.pipeline import make_pipeline, make_union  # type: ignore[import-untyped]
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ModuleNotFoundError as missing:
        raise BaselineUnavailable(
            "The baseline needs scikit-learn: install Heard's development extras and run this again"
        ) from missing
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=3)
    # Thousands of tweets need no groups of letters, which would take minutes there and gain nothing.
    features = make_union(words, letters) if len(examples) < _MANY_EXAMPLES else words
    strength = 10.0 if len(examples) < _MANY_EXAMPLES else 1.0
    system = make_pipeline(
        features, LogisticRegression(C=strength, max_iter=1_000, class_weight="balanced", random_state=_SEED)
    )
    # On a shared machine two threads of such small matrices spend their time waiting for each other.
    with threadpool_limits(1):
        system.fit([model_input(text) for text, _ in examples], [label for _, label in examples])

    def predict(texts: Sequence[str]) -> _Shares:
        shares = np.zeros((len(texts), labels))
        with threadpool_limits(1):
            shares[:, system.classes_] = system.predict_proba([model_input(text) for text in texts])
        return shares

    return predict


_MANY_EXAMPLES = 5_000


@dataclass(frozen=True, slots=True)
class _Answers:
    """The labels a system gave for each head, and how sure it was of each."""

    labels: dict[str, _Labels]
    sure: dict[str, _Shares]

    @classmethod
    def of(cls, classifier: Judging, texts: Sequence[str]) -> "_Answers":
        verdicts = classifier.classify(texts)
        labels: dict[str, _Labels] = {}
        sure: dict[str, _Shares] = {}
        for head, known in HEADS.items():
            labels[head] = np.array([known.index(_learnable(getattr(one, head))) for one in verdicts])
            sure[head] = np.array([getattr(one.confidence, head) for one in verdicts])
        return cls(labels, sure)

    def of_head(self, head: str) -> tuple[_Labels, _Shares]:
        return self.labels[head], self.sure[head]


def _learnable(label: Any) -> str:
    # The rules raise to critical; in the labelled rows that is counted as high.
    return str(Urgency.HIGH) if label is Urgency.CRITICAL else str(label)


def _answered(shares: _Shares) -> tuple[_Labels, _Shares]:
    return shares.argmax(1), shares.max(1)


def _truth(rows: Sequence[BrandExample], head: str) -> _Labels:
    return np.array([row.labels[head] for row in rows])


def _on_tweets(
    classifier: Judging, data: Path, wanted: int, trained_on: int, predict: Callable[[Sequence[str]], _Shares]
) -> Comparison:
    rows = tweets(data, "test_half")
    if wanted < len(rows):
        chosen = np.random.default_rng(_SEED).choice(len(rows), wanted, replace=False)
        rows = [rows[place] for place in sorted(chosen.tolist())]
    texts = [row.text for row in rows]
    truth = np.array([row.sentiment for row in rows])
    ours = _Answers.of(classifier, texts).of_head("sentiment")
    return _compared("TweetEval test half", "sentiment", trained_on, truth, ours, _answered(predict(texts)))


def _compared(
    rows: str,
    head: str,
    trained_on: int,
    truth: _Labels,
    ours: tuple[_Labels, _Shares],
    theirs: tuple[_Labels, _Shares],
) -> Comparison:
    size = len(HEADS[head])
    return Comparison(
        rows=rows,
        head=head,
        n=len(truth),
        trained_on=trained_on,
        model=_scored(head, truth, *ours),
        baseline=_scored(head, truth, *theirs),
        accuracy_gain=_gain(truth, ours[0], theirs[0], _accuracy),
        macro_f1_gain=_gain(truth, ours[0], theirs[0], lambda true, told: _macro_f1(true, told, size)),
    )


def _scored(head: str, truth: _Labels, told: _Labels, sure: _Shares) -> HeadScore:
    names = HEADS[head]
    f1, recall = _f1_and_recall(truth, told, len(names))
    return HeadScore(
        accuracy=_wilson(int((truth == told).sum()), len(truth)),
        macro_f1=_interval(truth, told, lambda true, said: _macro_f1(true, said, len(names))),
        macro_recall=_interval(truth, told, lambda true, said: _macro_recall(true, said, len(names))),
        calibration_error=_calibration_error(truth == told, sure),
        f1_by_label=_by_label(names, f1),
        recall_by_label=_by_label(names, recall),
    )


def _by_label(names: Sequence[str], values: _Shares) -> dict[str, float]:
    return {str(name): round(float(value), 3) for name, value in zip(names, values, strict=True)}


def _by_source(
    rows: Sequence[BrandExample], truth: _Labels, ours: _Labels, theirs: _Labels
) -> tuple[SourceScore, ...]:
    sources = np.array([row.source for row in rows])
    scores: list[SourceScore] = []
    for source in sorted(set(sources.tolist())):
        here = sources == source
        n = int(here.sum())
        scores.append(
            SourceScore(
                source=source,
                n=n,
                model=_wilson(int((truth == ours)[here].sum()), n),
                baseline=_wilson(int((truth == theirs)[here].sum()), n),
                majority=float(np.bincount(truth[here]).max() / n),
            )
        )
    return tuple(scores)


def _surest(truth: _Labels, told: _Labels, sure: _Shares) -> dict[str, tuple[int, float]]:
    order = np.argsort(-sure, kind="stable")
    surest: dict[str, tuple[int, float]] = {}
    for share in (0.3, 0.5):
        top = order[: max(1, round(share * len(order)))]
        surest[f"{share:.0%}"] = (len(top), float((truth == told)[top].mean()))
    return surest


def _f1_and_recall(truth: _Labels, told: _Labels, labels: int) -> tuple[_Shares, _Shares]:
    counts = np.zeros((labels, labels))
    np.add.at(counts, (truth, told), 1)
    right, true, said = np.diag(counts), counts.sum(1), counts.sum(0)
    f1 = np.divide(2 * right, true + said, out=np.zeros(labels), where=(true + said) > 0)
    return f1, np.divide(right, true, out=np.zeros(labels), where=true > 0)


def _accuracy(truth: _Labels, told: _Labels) -> float:
    return float((truth == told).mean())


def _macro_f1(truth: _Labels, told: _Labels, labels: int) -> float:
    f1, _ = _f1_and_recall(truth, told, labels)
    return float(f1[np.union1d(truth, told)].mean())


def _macro_recall(truth: _Labels, told: _Labels, labels: int) -> float:
    _, recall = _f1_and_recall(truth, told, labels)
    return float(recall[np.unique(truth)].mean())


def _measurable_f1(truth: _Labels, told: _Labels) -> float:
    intents = [str(intent) for intent in HEADS["intent"]]
    f1, _ = _f1_and_recall(truth, told, len(intents))
    return float(np.mean([f1[intents.index(name)] for name in _MEASURABLE_INTENTS]))


def _needs_reply_f1(truth: _Labels, told: _Labels) -> float:
    f1, _ = _f1_and_recall((truth > 0).astype(np.int64), (told > 0).astype(np.int64), 2)
    return float(f1[1])


def _calibration_error(right: NDArray[np.bool_], sure: _Shares) -> float:
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = [
        (bins == number).mean() * abs(right[bins == number].mean() - sure[bins == number].mean())
        for number in range(_BINS)
        if (bins == number).any()
    ]
    return float(sum(gaps))


def _wilson(right: int, n: int) -> Figure:
    z = 1.96
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * ((share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5) / (1 + z * z / n)
    return Figure(share, middle - half, middle + half)


def _interval(truth: _Labels, told: _Labels, measure: Callable[[_Labels, _Labels], float]) -> Figure:
    drawn = [measure(truth[rows], told[rows]) for rows in _resamples(len(truth))]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(measure(truth, told), float(low), float(high))


def _gain(
    truth: _Labels, ours: _Labels, theirs: _Labels, measure: Callable[[_Labels, _Labels], float]
) -> Figure:
    """The difference, resampled on the same rows for both: what they share cancels out."""
    drawn = [
        measure(truth[rows], ours[rows]) - measure(truth[rows], theirs[rows])
        for rows in _resamples(len(truth))
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(measure(truth, ours) - measure(truth, theirs), float(low), float(high))


def _resamples(n: int) -> NDArray[np.int64]:
    return np.random.default_rng(_SEED).integers(0, n, size=(_RESAMPLES, n))


def rendered(evaluation: Evaluation) -> str:
    """The evaluation as text for a terminal."""
    lines = [
        f"{evaluation.name} beside TF-IDF + logistic regression trained on the same rows",
        "95 % intervals: Wilson for accuracy, bootstrap for the rest. Brandgold's labels are by AI models.",
        "",
    ]
    for comparison in evaluation.comparisons:
        lines += _rendered_comparison(comparison)
    lines.append("Intent accuracy by source")
    for source in evaluation.intent_by_source:
        lines.append(
            f"  {source.source:<18} n={source.n:<5} model {source.model}   baseline {source.baseline}"
            f"   largest class {source.majority:.3f}"
        )
    lines.append(_two("Intent macro-F1 of bug, question, complaint, other", evaluation.intent_measurable))
    lines.append(_two("Needs a reply, F1", evaluation.needs_reply))
    for share, (n, accuracy) in evaluation.surest.items():
        lines.append(f"Intent accuracy of the surest {share}: {accuracy:.3f} (n={n})")
    verdict = "The model beats" if evaluation.beats_baseline_everywhere else "The model does NOT beat"
    lines.append(f"{verdict} the baseline on every head by macro-F1 ({evaluation.seconds:.0f} s).")
    return "\n".join(lines)


def _rendered_comparison(comparison: Comparison) -> list[str]:
    model, other = comparison.model, comparison.baseline
    rows: Mapping[str, tuple[object, object]] = {
        "accuracy": (model.accuracy, other.accuracy),
        "macro-F1": (model.macro_f1, other.macro_f1),
        "macro-recall": (model.macro_recall, other.macro_recall),
        "calibration error": (f"{model.calibration_error:.3f}", f"{other.calibration_error:.3f}"),
    }
    title = f"{comparison.head} on {comparison.rows}, n={comparison.n}, trained on {comparison.trained_on}"
    lines = [f"{title:<52}", f"  {'':<18}{'model':<24}{'baseline':<24}"]
    lines += [f"  {name:<18}{ours!s:<24}{theirs!s:<24}" for name, (ours, theirs) in rows.items()]
    lines.append(f"  gain: accuracy {comparison.accuracy_gain}, macro-F1 {comparison.macro_f1_gain}")
    by_label = ", ".join(f"{name} {value:.2f}" for name, value in model.f1_by_label.items())
    lines.append(f"  F1 by label: {by_label}")
    return [*lines, ""]


def _two(title: str, figures: tuple[Figure, Figure]) -> str:
    return f"{title}: model {figures[0]}, baseline {figures[1]}"
