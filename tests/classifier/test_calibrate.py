"""Fitting how logits are read: probabilities come true, leans serve their goal, guesses are known."""

import numpy as np
import pytest

from classifier.calibrate import (
    Asked,
    balanced,
    fitted,
    lean_fitted,
    likeliest,
    macro_f1,
    macro_recall,
    missed_costs_most,
    probabilities_fitted,
    thresholds_fitted,
    together,
)
from classifier.heads import Head


def _world(n: int, oversure: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Logits of three labels that promise more than they keep, and what came true."""
    draw = np.random.default_rng(seed)
    honest = draw.normal(0, 1.5, (n, 3)) + np.array([1.0, 0.0, -1.0])
    shares = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    truth = np.array([draw.choice(3, p=row) for row in shares])
    return honest * oversure, truth


def test_an_oversure_head_is_cooled_by_as_much_as_it_boasts() -> None:
    """Logits three times too large get a temperature of about three and no bias to speak of."""
    temperature, bias = probabilities_fitted(Asked(*_world(4_000, oversure=3.0)))
    assert temperature == pytest.approx(3.0, rel=0.1)
    assert np.abs(bias).max() < 0.15


def test_a_head_that_favours_a_label_is_set_right() -> None:
    """What was added to one logit is taken off again."""
    logits, truth = _world(4_000, oversure=1.0)
    _, bias = probabilities_fitted(Asked(logits + np.array([0.0, 0.0, 1.0]), truth))
    assert bias[2] - bias[1] == pytest.approx(-1.0, abs=0.25)


def test_a_lean_raises_the_macro_recall_of_answers_not_seen() -> None:
    """Fitted on one half, it helps on the other: a rare label is no longer overlooked."""
    logits, truth = _world(6_000, oversure=1.0)
    scores = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    lean = lean_fitted(scores[:3_000], truth[:3_000], macro_recall)
    before = macro_recall(truth[3_000:], scores[3_000:].argmax(1))
    after = macro_recall(truth[3_000:], (scores[3_000:] + lean).argmax(1))
    assert after > before + 0.02


def test_sets_that_are_put_together_count_the_same() -> None:
    """However many rows each has: what there are few of recurs."""
    few, many = Asked(np.zeros((10, 3)), np.zeros(10, int)), Asked(np.ones((29, 3)), np.ones(29, int))
    both = together(few, many)
    assert np.bincount(both.truth).tolist() == [30, 29]
    assert both.logits.sum(1).tolist() == [0.0] * 30 + [3.0] * 29


def test_labels_are_found_as_often_however_rare_they_are() -> None:
    """No search: what is likelier than in general is chosen, and how sure that is stays what comes true."""
    logits, truth = _world(6_000, oversure=2.0)
    plain, even = (
        fitted("abc", Asked(logits[:3_000], truth[:3_000]), lean) for lean in (likeliest, balanced)
    )
    told, balance = (
        np.array([head.labels.index(head.read(row).label) for row in logits[3_000:].tolist()])
        for head in (plain, even)
    )
    assert macro_recall(truth[3_000:], balance) > macro_recall(truth[3_000:], told) + 0.02
    assert (even.temperature, even.bias) == (plain.temperature, plain.bias)


def test_a_label_that_never_occurred_has_a_finite_lean() -> None:
    """As if it had been one row."""
    lean = balanced(np.zeros((4, 3)), np.array([0, 0, 1, 1]))
    assert np.isfinite(lean).all()
    assert lean[2] > lean[0] == lean[1]


def test_a_label_whose_miss_costs_most_is_found_as_often_as_wanted() -> None:
    """Eight of ten, also among answers that the lean was not fitted on."""
    logits, truth = _world(6_000, oversure=1.0)
    scores = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    lean = lean_fitted(scores[:3_000], truth[:3_000], missed_costs_most(2, wanted=0.8))
    told = (scores[3_000:] + lean).argmax(1)
    assert (told[truth[3_000:] == 2] == 2).mean() > 0.75


def test_a_guess_is_what_comes_true_in_less_than_half_of_the_cases() -> None:
    """Above its threshold a label is right more often than not."""
    logits, truth = _world(4_000, oversure=1.0)
    head = fitted(("a", "b", "c"), Asked(logits, truth))
    verdicts = [head.read(row) for row in logits.tolist()]
    unsure = [
        head.labels[int(true)] == one.label for true, one in zip(truth, verdicts, strict=True) if not one.sure
    ]
    assert np.mean(unsure) < 0.5


def test_needing_no_reply_takes_nineteen_in_twenty() -> None:
    """Nobody looks at what is passed over."""
    logits, truth = _world(8_000, oversure=1.0)
    plain = Head(("low", "normal", "high"), 1.0, (0.0,) * 3, (0.0,) * 3, (0.0,) * 3)
    low, _, _ = thresholds_fitted(plain, logits, truth)
    assert low > 0.85


def test_macro_figures_agree_with_scikit_learn() -> None:
    """On random answers."""
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(5)
    truth, told = draw.integers(0, 4, 300), draw.integers(0, 4, 300)
    assert macro_f1(truth, told) == pytest.approx(metrics.f1_score(truth, told, average="macro"))
    assert macro_recall(truth, told) == pytest.approx(metrics.recall_score(truth, told, average="macro"))
