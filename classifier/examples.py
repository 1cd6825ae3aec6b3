"""Reads the labelled examples that the classifier is trained and measured on."""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casework.classification import Intent, Sentiment, Urgency

SENTIMENTS = (Sentiment.NEGATIVE, Sentiment.NEUTRAL, Sentiment.POSITIVE)
INTENTS = tuple(Intent)
# Too few critical rows exist to learn from; the word rules alone raise a mention to critical.
URGENCIES = (Urgency.LOW, Urgency.NORMAL, Urgency.HIGH)

HEADS: dict[str, tuple[str, ...]] = {"sentiment": SENTIMENTS, "intent": INTENTS, "urgency": URGENCIES}
"""The labels of each head, in the order of its logits. A bundled model carries its own copy."""


TONE_ROWS = 28_000
"""Tweets that the first stage of training reads. One thread cannot read all 47,069 in half an hour."""
TONE_SEED = 7


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


def chosen_tweets(
    rows: Sequence[TweetExample], wanted: int = TONE_ROWS, seed: int = TONE_SEED
) -> list[TweetExample]:
    """``wanted`` rows: equally many of each label, and where a label has too few, all it has."""
    by_label: dict[int, list[TweetExample]] = {}
    for row in rows:
        by_label.setdefault(row.sentiment, []).append(row)
    chosen: list[TweetExample] = []
    groups = sorted(by_label.values(), key=len)
    for done, group in enumerate(groups):
        share = (wanted - len(chosen)) // (len(groups) - done)
        chosen += random.Random(seed).sample(group, min(share, len(group)))  # noqa: S311 - to repeat, not to hide
    return chosen


def brand_mentions(data: Path, part: str) -> list[BrandExample]:
    """The rows of one part (``train``, ``validation``) of brandgold."""
    return [_brand_example(row) for row in _rows(data / "brandgold" / f"{part}.jsonl.gz")]


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


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
