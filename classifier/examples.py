"""Reads the labelled examples that the classifier is trained and measured on."""

import gzip
import hashlib
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from casework.classification import Intent, Sentiment, Urgency

SENTIMENTS = (Sentiment.NEGATIVE, Sentiment.NEUTRAL, Sentiment.POSITIVE)
INTENTS = tuple(Intent)
# Too few critical rows exist to learn from; the word rules alone raise a mention to critical.
URGENCIES = (Urgency.LOW, Urgency.NORMAL, Urgency.HIGH)

HEADS: dict[str, tuple[str, ...]] = {"sentiment": SENTIMENTS, "intent": INTENTS, "urgency": URGENCIES}
"""The labels of each head, in the order of its logits. A bundled model carries its own copy."""


LESSONS = Path(__file__).with_name("lessons")
"""What comes with Heard to learn from: posts that we wrote, labels (no text) of public rows, a teacher's
beliefs. `lessons/README.md` says who made them."""


@dataclass(frozen=True, slots=True)
class TweetExample:
    """One tweet with its sentiment, as an index into `SENTIMENTS`."""

    text: str
    sentiment: int


@dataclass(frozen=True, slots=True)
class BrandExample:
    """One real mention of a brand with the index of its label per head, and whether annotators agreed."""

    text: str
    brand: str
    source: str
    labels: dict[str, int]
    certain: bool


def tweets(data: Path, part: str) -> list[TweetExample]:
    """The rows of one part (``train``, ``val``, ``test_half``) of the TweetEval sentiment set."""
    rows = _rows(data / "tweeteval_sentiment" / f"{part}.jsonl.gz")
    return [TweetExample(text=row["text"], sentiment=int(row["label"])) for row in rows]


@dataclass(frozen=True, slots=True)
class Remark:
    """One comment from Reddit, of no brand, and what people said its tone is: shares, None where unclear."""

    text: str
    tone: Sequence[float] | None


def remarks(data: Path) -> list[Remark]:
    """The training part of GoEmotions (Demszky et al., ACL 2020), each text once; none where it is missing.

    Its 28 emotions are read as tones by the authors' own grouping; confusion, curiosity, realisation and
    surprise are none.
    """
    path = data / "goemotions" / "train.jsonl.gz"
    if not path.exists():
        return []
    return list({row["text"]: Remark(row["text"], _tone_of(row["labels"])) for row in _rows(path)}.values())


def _tone_of(emotions: Sequence[str]) -> list[float] | None:
    tones = [_TONES[emotion] for emotion in emotions if emotion in _TONES]
    return [tones.count(tone) / len(tones) for tone in SENTIMENTS] if tones else None


_TONES: dict[str, Sentiment] = {
    "neutral": Sentiment.NEUTRAL,
    **dict.fromkeys(
        (
            *("admiration", "amusement", "approval", "caring", "desire", "excitement", "gratitude", "joy"),
            *("love", "optimism", "pride", "relief"),
        ),
        Sentiment.POSITIVE,
    ),
    **dict.fromkeys(
        (
            *("anger", "annoyance", "disappointment", "disapproval", "disgust", "embarrassment", "fear"),
            *("grief", "nervousness", "remorse", "sadness"),
        ),
        Sentiment.NEGATIVE,
    ),
}


def brand_mentions(data: Path, part: str) -> list[BrandExample]:
    """The rows of one part (``train``, ``validation``) of brandgold."""
    return [_brand_example(row) for row in _rows(data / "brandgold" / f"{part}.jsonl.gz")]


def written_posts() -> list[BrandExample]:
    """The posts that were written for training: kinds that real rows have too few of."""
    return [
        _brand_example({**row, "source": "written", "certain": 1})
        for row in _plain(LESSONS / "written.jsonl")
    ]


def labelled_tweets(data: Path) -> list[BrandExample]:
    """The rows of TweetEval and of IBM's conversations that we gave labels to.

    The text is taken from ``data``, by its fingerprint; what is not there is left out.
    """
    texts = {fingerprint(row.text): row.text for row in tweets(data, "train")}
    texts |= {fingerprint(text): text for text in _follow_ups(data)}
    return [
        _brand_example({**row, "text": texts[row["text"]], "certain": row["sure"]})
        for row in _plain(LESSONS / "labels.jsonl")
        if row["text"] in texts
    ]


@dataclass(frozen=True, slots=True)
class Belief:
    """What the larger model makes of one public post: shares of the labels of each head, in their order."""

    text: str
    shares: dict[str, list[float]]


def beliefs_about_mentions(data: Path) -> list[Belief]:
    """What the larger model believes of posts in the public sets and of our own, found by fingerprint.

    Posts whose text is in no set of ``data`` are left out.
    """
    path = LESSONS / "mentions.safetensors"
    if not path.exists():
        return []
    with safe_open(path, "numpy") as kept:
        marks = kept.get_tensor("fingerprint").tolist()
        shares = {head: (kept.get_tensor(head) / 255.0).tolist() for head in HEADS}
    texts = {int(fingerprint(text), 16): text for text in _public_texts(data)}
    return [
        Belief(texts[mark], {head: rows[place] for head, rows in shares.items()})
        for place, mark in enumerate(marks)
        if mark in texts
    ]


def unlabelled_posts(data: Path, tweets_wanted: int = 4_800, asked_wanted: int = 750) -> list[str]:
    """Posts that nobody labelled, always the same: tweets, and of each set of questions to bots a few."""
    draw = random.Random(21)  # noqa: S311 - to repeat, not to hide
    posts = [row.text for row in tweets(data, "train")]
    chosen = draw.sample(posts, min(tweets_wanted, len(posts)))
    for name in _ASKED_OF_BOTS:
        asked = [row["text"] for row in _rows(data / f"{name}.jsonl.gz")]
        chosen += draw.sample(asked, min(asked_wanted, len(asked)))
    return chosen


def _public_texts(data: Path) -> Iterator[str]:
    yield from (row.text for row in tweets(data, "train"))
    yield from (row.text for row in brand_mentions(data, "train"))
    yield from (row.text for row in written_posts())
    yield from _follow_ups(data)
    for name in _ASKED_OF_BOTS:
        if (data / f"{name}.jsonl.gz").exists():
            yield from (row["text"] for row in _rows(data / f"{name}.jsonl.gz"))


_ASKED_OF_BOTS = ("bitext/all", "banking77/train")
"""Questions to bots. Their own labels mislead; as text for the larger model to judge they help."""


def teacher_beliefs(rows: Sequence[TweetExample | Remark], kept: str = "tone") -> list[list[float]] | None:
    """What a larger model believes each text's tone to be, in shares; None where it judged other rows.

    ``kept`` names the file of lessons: ``tone`` for tweets, ``remarks``. The model and how it was trained
    are in `lessons/README.md`. Shares are kept in 255ths.
    """
    path = LESSONS / f"{kept}.safetensors"
    if not path.exists():
        return None
    with safe_open(path, "numpy") as file:
        if file.metadata().get("rows") != fingerprint_of_rows(rows):
            return None
        beliefs: list[list[float]] = (file.get_tensor("sentiment") / 255.0).tolist()
    return beliefs


def fingerprint_of_rows(rows: Sequence[TweetExample | Remark]) -> str:
    """The same for the same rows in the same order."""
    return hashlib.sha256("\n".join(row.text for row in rows).encode()).hexdigest()[:16]


def fingerprint(text: str) -> str:
    """What a text is found again by, whatever its handles, links, case and blanks."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()[:16]


def normalised(text: str) -> str:
    """The words of a text alone: two rows that differ in masks or punctuation are the same row."""
    return " ".join(_NO_WORD.sub(" ", _MASKED.sub(" ", text.lower())).split())


_MASKED = re.compile(r"@\w+|http\S*|\blink\b")
_NO_WORD = re.compile(r"\W+")


def _follow_ups(data: Path) -> Iterator[str]:
    """What customers wrote further on in IBM's conversations."""
    for part in ("dev", "test"):
        for row in _rows(data / "ibm_customer_care" / f"{part}.jsonl.gz"):
            yield from (turn["text"] for turn in row["turns"][1:] if turn["who"] == "customer")


def _brand_example(row: dict[str, Any]) -> BrandExample:
    urgency = Urgency(row["urgency"])
    learnable = Urgency.HIGH if urgency is Urgency.CRITICAL else urgency
    return BrandExample(
        text=row["text"],
        brand=row["brand"],
        source=row["source"],
        labels={
            "sentiment": SENTIMENTS.index(Sentiment(row["sentiment"])),
            "intent": INTENTS.index(Intent(row["intent"])),
            "urgency": URGENCIES.index(learnable),
        },
        certain=bool(row["certain"]),
    )


def _plain(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
