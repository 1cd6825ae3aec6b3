"""The rows that the classifier is trained on: the same for everybody, and strangers to what is measured."""

from pathlib import Path

import numpy as np
import pytest

from classifier.examples import brand_mentions, chosen_tweets, tweets

DATA = Path("/work/shared/data")
needs_data = pytest.mark.skipif(
    not (DATA / "brandgold").exists(), reason="the labelled mentions are not on this machine"
)


@needs_data
def test_validation_brands_are_strangers_but_for_one() -> None:
    """A figure on known brands would say little of a new customer's; only Google occurs on both sides."""
    trained = {row.brand.casefold() for row in brand_mentions(DATA, "train")}
    measured = {row.brand.casefold() for row in brand_mentions(DATA, "validation")}
    assert trained & measured == {"google"}


@needs_data
def test_the_tweets_chosen_for_training_are_the_same_every_time() -> None:
    """Whoever trains or measures again gets the same rows: all of the rare label, and as many of others."""
    rows = tweets(DATA, "train")
    chosen = chosen_tweets(rows)
    assert chosen == chosen_tweets(rows)
    counts = np.bincount([row.sentiment for row in chosen])
    assert counts.sum() == 28_000
    assert counts[0] == sum(row.sentiment == 0 for row in rows)
