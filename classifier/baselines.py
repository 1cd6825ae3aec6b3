"""What the model has to beat: the largest class, a list of words, VADER, and TF-IDF with logistic regression.

Each answers for the same rows as the model. One that cannot be measured says why and is never a crash: the
libraries are no part of a production install, and the training rows may be elsewhere.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from casework.errors import HeardError
from classifier.examples import HEADS
from classifier.figures import Labels, Shares
from classifier.keywords import intent_by_words, sentiment_by_words, urgency_by_words
from classifier.labelled import LabelledRow, read_labelled
from classifier.text import model_input_of_readable, readable

NAMES = ("majority", "keywords", "vader", "tfidf")
"""All baselines, in the order in which they are shown; VADER knows of sentiment only."""
TRAINING_FILES = ("brandgold/train.jsonl.gz", "tweeteval_sentiment/train.jsonl.gz")
"""The training sets under the folder of labelled sets, those of them that are there."""

_SEED = 7
_MANY_EXAMPLES = 5_000
_VADER_SAYS_SO = 0.05
_MASKS = re.compile(r"@user|@support|\bhttp\b|\bemail\b")
_WORDS = re.compile(r"\w+")


class BaselineUnavailable(HeardError):
    """A baseline cannot be measured; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Read:
    """A labelled row and its readable form, which is made once for all that read it."""

    row: LabelledRow
    text: str

    @property
    def key(self) -> str:
        """What is the same in two copies of a post: its words, without masks, case and punctuation."""
        return " ".join(_WORDS.findall(_MASKS.sub(" ", self.text).casefold()))


def read(rows: Sequence[LabelledRow]) -> list[Read]:
    """The rows with their readable forms."""
    return [Read(row, readable(row.text)) for row in rows]


@dataclass(frozen=True, slots=True)
class Training:
    """The rows that the trained baselines learn from, or why there are none."""

    rows: Sequence[Read]
    missing: str = ""
    left_out: int = 0

    @classmethod
    def of(cls, folder: Path | None) -> "Training":
        """The training sets of a folder of labelled sets."""
        if folder is None:
            return cls((), "there are no training rows: name their folder with --training")
        files = [path for name in TRAINING_FILES if (path := folder / name).exists()]
        if not files:
            return cls((), f"{folder} holds neither {' nor '.join(TRAINING_FILES)}")
        return cls.of_rows(read_labelled(files))

    @classmethod
    def of_rows(cls, rows: Sequence[LabelledRow]) -> "Training":
        """These rows."""
        return cls(read(rows))

    def without(self, measured: Sequence[Read]) -> "Training":
        """The rows whose text is not among the measured ones: nobody may have seen what he is asked."""
        asked = {one.key for one in measured}
        kept = [one for one in self.rows if one.key not in asked]
        return Training(kept, self.missing, len(self.rows) - len(kept))

    def examples(self, head: str) -> list[tuple[str, int]]:
        """The readable texts that have a label of the head, each with it."""
        return [(one.text, one.row.labels[head]) for one in self.rows if head in one.row.labels]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the baselines said of the rows of one head, and why some said nothing."""

    told: Mapping[str, Labels]
    unmeasured: Mapping[str, str] = field(default_factory=dict)


def answers(head: str, rows: Sequence[Read], training: Training) -> Answers:
    """What every baseline says of the rows; all of them have a label of the head."""
    examples = training.examples(head)
    systems: dict[str, Callable[[], Labels]] = {
        "majority": lambda: _majority(head, rows, examples),
        "keywords": lambda: _keywords(head, rows),
        "tfidf": lambda: _tfidf(head, rows, examples, training.missing),
    }
    if head == "sentiment":
        systems["vader"] = lambda: _vader(rows)
    told: dict[str, Labels] = {}
    unmeasured: dict[str, str] = {}
    for name in sorted(systems, key=NAMES.index):
        try:
            told[name] = systems[name]()
        except BaselineUnavailable as why:
            unmeasured[name] = str(why)
    return Answers(told, unmeasured)


def baseline(examples: Sequence[tuple[str, int]], labels: int) -> Callable[[Sequence[str]], Shares]:
    """A bag of words (and of letter groups) with logistic regression, trained on the examples.

    What it returns gives, for each text, the share of belief in each label. Texts are in their readable
    form, and it reads them prepared as the model does.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
        from sklearn.pipeline import make_pipeline, make_union  # type: ignore[import-untyped]
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ModuleNotFoundError as missing:
        raise BaselineUnavailable("scikit-learn is not installed: it is a development extra") from missing
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
        system.fit([model_input_of_readable(text) for text, _ in examples], [label for _, label in examples])

    def predict(texts: Sequence[str]) -> Shares:
        shares = np.zeros((len(texts), labels))
        with threadpool_limits(1):
            shares[:, system.classes_] = system.predict_proba(
                [model_input_of_readable(text) for text in texts]
            )
        return shares

    return predict


def _majority(head: str, rows: Sequence[Read], examples: Sequence[tuple[str, int]]) -> Labels:
    seen = [label for _, label in examples] or [one.row.labels[head] for one in rows]
    return np.full(len(rows), np.bincount(seen).argmax())


def _keywords(head: str, rows: Sequence[Read]) -> Labels:
    judge = {"sentiment": sentiment_by_words, "intent": intent_by_words, "urgency": urgency_by_words}[head]
    return np.array([HEADS[head].index(judge(one.text)) for one in rows])


def _vader(rows: Sequence[Read]) -> Labels:
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # type: ignore[import-untyped]
    except ModuleNotFoundError as missing:
        raise BaselineUnavailable("vaderSentiment is not installed: it is a development extra") from missing
    analyzer = SentimentIntensityAnalyzer()
    # It reads the post as it was written: capitals, exclamation marks and emoji are part of its rules.
    moods = np.array([float(analyzer.polarity_scores(one.row.text)["compound"]) for one in rows])
    return np.where(moods >= _VADER_SAYS_SO, 2, np.where(moods <= -_VADER_SAYS_SO, 0, 1))


def _tfidf(head: str, rows: Sequence[Read], examples: Sequence[tuple[str, int]], missing: str) -> Labels:
    if len({label for _, label in examples}) < 2:
        raise BaselineUnavailable(missing or f"no two labels of {head} occur in the training rows")
    try:
        shares = baseline(examples, len(HEADS[head]))([one.text for one in rows])
    except ValueError as error:
        # A handful of rows may leave no word that occurs twice.
        raise BaselineUnavailable(f"{len(examples)} training rows are too few to learn from") from error
    told: Labels = shares.argmax(1)
    return told
