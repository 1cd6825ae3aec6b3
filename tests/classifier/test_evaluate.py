"""The measuring tape: figures with their rows and intervals, beside a baseline that had the same rows."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.evaluate import BaselineUnavailable, baseline, evaluate, rendered
from classifier.evaluate import _calibration_error as calibration_error
from classifier.evaluate import _macro_f1 as macro_f1
from classifier.evaluate import _wilson as wilson
from classifier.examples import HEADS, brand_mentions
from classifier.model import Classifier

DATA = Path("/work/shared/data")
needs_data = pytest.mark.skipif(
    not (DATA / "brandgold").exists(), reason="the labelled mentions are not on this machine"
)


@needs_data
def test_the_model_beats_a_bag_of_words_on_every_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """On brands that are new to it but for one, with the same training rows, by macro-F1."""
    monkeypatch.setattr("classifier.evaluate._RESAMPLES", 50)  # The intervals are not what is tested.
    measured = evaluate(Classifier.load(), DATA, tweets_sampled=0)
    assert [comparison.head for comparison in measured.comparisons] == list(HEADS)
    for comparison in measured.comparisons:
        assert comparison.n == 254
        assert comparison.beats_baseline
        assert (
            comparison.model.accuracy.low < comparison.model.accuracy.value < comparison.model.accuracy.high
        )
    assert measured.beats_baseline_everywhere
    table = rendered(measured)
    assert "The model beats the baseline on every head" in table
    assert "n=254" in table
    assert "AI models" in table


@needs_data
def test_validation_brands_are_strangers_but_for_one() -> None:
    """A figure on known brands would say little of a new customer's; only Google occurs on both sides."""
    trained = {row.brand.casefold() for row in brand_mentions(DATA, "train")}
    measured = {row.brand.casefold() for row in brand_mentions(DATA, "validation")}
    assert trained & measured == {"google"}


def test_without_scikit_learn_the_baseline_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measuring tools are no part of a production install."""
    plain_import = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("sklearn"):
            raise ModuleNotFoundError(name)
        return plain_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(BaselineUnavailable, match="scikit-learn"):
        baseline([("a", 0), ("b", 1)], 2)


def test_the_figures_are_what_their_names_say() -> None:
    """Checked by hand: macro-F1 over the labels that occur, Wilson's interval, calibration error."""
    truth, told = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert macro_f1(truth, told, 3) == pytest.approx((2 / 3 + 4 / 5) / 2)
    half = wilson(50, 100)
    assert (round(half.low, 3), round(half.high, 3)) == (0.404, 0.596)
    assert calibration_error(np.array([True, False]), np.array([0.95, 0.95])) == pytest.approx(0.45)
