"""The arithmetic of measuring, against examples worked by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics  # type: ignore[import-untyped]

from classifier import figures
from classifier.figures import Labels


def _answers(seed: int, n: int = 300, labels: int = 5) -> tuple[Labels, Labels]:
    """Truth and answers in which the last label is never true and the first never told."""
    dice = np.random.default_rng(seed)
    truth = dice.integers(0, labels - 1, n)
    told = np.where(dice.random(n) < 0.6, truth, dice.integers(0, labels, n))
    return truth, np.where(told == 0, 1, told)


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_scikit_learns(seed: int) -> None:
    """Accuracy, precision, recall and F1 by label, macro-F1 and macro-recall."""
    truth, told = _answers(seed)
    counts = figures.counted(truth, told, 6)
    theirs = metrics.precision_recall_fscore_support(truth, told, labels=range(6), zero_division=0)

    assert counts[:5, :5].tolist() == metrics.confusion_matrix(truth, told, labels=range(5)).tolist()
    assert figures.accuracy(counts) == pytest.approx(metrics.accuracy_score(truth, told))
    for ours, other in zip((figures.precision, figures.recall, figures.f1), theirs[:3], strict=True):
        assert ours(counts) == pytest.approx(other)
    assert figures.macro_f1(counts) == pytest.approx(metrics.f1_score(truth, told, average="macro"))
    in_truth = sorted(set(truth.tolist()))
    assert figures.macro_recall(counts) == pytest.approx(
        metrics.recall_score(truth, told, labels=in_truth, average="macro")
    )
    assert figures.mean_f1_of(counts, [1, 2, 5]) == pytest.approx(
        metrics.f1_score(truth, told, labels=[1, 2, 5], average="macro", zero_division=0)
    )
    assert figures.f1_of_any(counts, [1, 2]) == pytest.approx(
        metrics.f1_score(np.isin(truth, [1, 2]), np.isin(told, [1, 2]))
    )


def test_the_figures_are_what_a_hand_works_out() -> None:
    """Macro-F1 is over the labels that occur in truth or answers, macro-recall over those in truth."""
    counts = figures.counted(np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1]), 4)

    assert figures.f1(counts).tolist() == pytest.approx([2 / 3, 1, 0, 0])
    assert figures.macro_f1(counts) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert figures.macro_recall(counts) == pytest.approx((1 / 2 + 1) / 2)
    assert figures.accuracy(counts) == 3 / 4


def test_wilsons_interval_is_the_one_in_the_books() -> None:
    """And at the ends of the scale it stays on the scale and holds the share."""
    assert figures.wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert figures.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    low, high = figures.wilson(0, 10)
    assert (low, round(high, 3)) == (0.0, 0.278)
    low, high = figures.wilson(10, 10)
    assert (round(low, 3), high) == (0.722, 1.0)


def test_drawing_tables_is_drawing_rows() -> None:
    """The bootstrap's interval is that of rows drawn one by one, and the same every time."""
    truth, told = _answers(1)
    counts = figures.counted(truth, told, 5)
    dice = np.random.default_rng(3)
    slowly = [
        float(figures.macro_f1(figures.counted(truth[rows], told[rows], 5)))
        for rows in dice.integers(0, len(truth), size=(1_000, len(truth)))
    ]
    drawn = figures.drawn_again(counts)

    assert drawn.shape == (figures.RESAMPLES, 5, 5)
    assert set(drawn.sum((1, 2)).tolist()) == {len(truth)}
    assert figures.interval(figures.macro_f1(drawn)) == pytest.approx(
        tuple(np.percentile(slowly, [2.5, 97.5])), abs=0.01
    )
    assert np.array_equal(drawn, figures.drawn_again(counts))


def test_an_interval_is_stretched_to_its_value() -> None:
    """Rare labels that are always wrong drop out of many drawn tables, and all those come out higher."""
    drawn = np.linspace(0.4, 0.6, 1_000)

    assert figures.interval(drawn) == pytest.approx((0.405, 0.595))
    assert figures.interval(drawn, 0.3) == pytest.approx((0.3, 0.595))
    assert figures.interval(drawn, 0.7) == pytest.approx((0.405, 0.7))


def test_two_systems_are_drawn_on_the_same_rows() -> None:
    """Each side of the cube is the table of one of them; where they answer alike, no draw differs."""
    truth, told = _answers(2)
    other = np.roll(told, 1)
    cube = figures.counted_both(truth, told, other, 5)

    assert np.array_equal(cube.sum(2), figures.counted(truth, told, 5))
    assert np.array_equal(cube.sum(1), figures.counted(truth, other, 5))
    alike = figures.drawn_again(figures.counted_both(truth, told, told, 5))
    assert np.array_equal(alike.sum(3), alike.sum(2))


def test_calibration_error_is_the_gap_between_sureness_and_being_right() -> None:
    """Bin by bin, weighted by its rows; a sureness of one belongs to the last bin."""
    assert figures.calibration_error(np.array([True, False]), np.array([0.95, 0.95])) == pytest.approx(0.45)
    right, sure = np.array([True, True, False, False]), np.array([1.0, 0.9, 0.25, 0.25])
    assert figures.calibration_error(right, sure) == pytest.approx(0.5 * 0.05 + 0.5 * 0.25)


def test_the_surest_rows_are_those_of_highest_confidence() -> None:
    """Ten rows, of which the surest but one is wrong; at least one row is taken."""
    sure = np.arange(10) / 10
    right = np.arange(10) != 8

    assert figures.accuracy_of_surest(right, sure, 0.3) == pytest.approx(2 / 3)
    assert figures.accuracy_of_surest(right, sure, 0.01) == 1.0


def test_coverage_is_the_largest_share_that_is_right_often_enough() -> None:
    """Not the first that is not: what is lost early can be made up for."""
    sure = np.arange(10)[::-1] / 10
    right = np.array([1, 0, 1, 1, 1, 1, 1, 1, 1, 1], dtype=bool)

    assert figures.coverage(right, sure, 0.90) == 1.0
    assert figures.coverage(right, sure, 0.95) == 0.1
    assert figures.coverage(~right, sure, 0.95) == 0.0
    assert figures.coverage(~right, sure, 0.50) == 0.2


def test_rows_of_one_confidence_are_covered_together() -> None:
    """No threshold could tell them apart, however the file has them in order."""
    right = np.array([True, True, False, False])

    assert figures.coverage(right, np.full(4, 0.7), 0.9) == 0.0
    assert figures.coverage(right, np.array([0.9, 0.9, 0.7, 0.7]), 0.9) == 0.5
