"""The arithmetic of measuring: shares, F1, calibration and their intervals, from counts and nothing else.

Most figures are read from a table of counts, one row a true label and one column a told one. A bootstrap
that draws rows again draws such tables, so it draws the tables at once: twelve thousand rows cost no more
than a hundred. Every function takes one table or a stack of them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Counts = NDArray[np.int64]
Shares = NDArray[np.float64]
Right = NDArray[np.bool_]
Interval = tuple[float, float]

RESAMPLES = 1_000
_SEED = 7
_BINS = 10
_Z = 1.959964


def counted(truth: Labels, told: Labels, labels: int) -> Counts:
    """How often each label was told for each true one."""
    return np.bincount(truth * labels + told, minlength=labels * labels).reshape(labels, labels)


def counted_both(truth: Labels, told: Labels, other: Labels, labels: int) -> Counts:
    """The same for two systems at once: a cube of true label, what one told, and what the other told."""
    places = (truth * labels + told) * labels + other
    return np.bincount(places, minlength=labels**3).reshape(labels, labels, labels)


def recall(counts: Counts) -> Shares:
    """Of the rows that have a label, the share that was told so; 0 where no row has it."""
    return _ratio(_right(counts), counts.sum(-1))


def precision(counts: Counts) -> Shares:
    """Of the rows that were told a label, the share that has it; 0 where it was never told."""
    return _ratio(_right(counts), counts.sum(-2))


def f1(counts: Counts) -> Shares:
    """The F1 of each label; 0 for one that no row has and none was told."""
    return _ratio(2 * _right(counts), counts.sum(-1) + counts.sum(-2))


def accuracy(counts: Counts) -> Shares:
    """The share of rows that were told their label."""
    return _ratio(_right(counts).sum(-1), counts.sum((-1, -2)))


def macro_f1(counts: Counts) -> Shares:
    """The mean F1 of the labels that occur, in truth or in what was told."""
    return _mean_where(f1(counts), counts.sum(-1) + counts.sum(-2) > 0)


def macro_recall(counts: Counts) -> Shares:
    """The mean recall of the labels that some row has."""
    return _mean_where(recall(counts), counts.sum(-1) > 0)


def mean_f1_of(counts: Counts, labels: Sequence[int]) -> Shares:
    """The mean F1 of these labels, whether they occur or not."""
    mean: Shares = f1(counts)[..., list(labels)].mean(-1)
    return mean


def f1_of_any(counts: Counts, labels: Sequence[int]) -> Shares:
    """The F1 of "one of these labels", all of them taken for one."""
    inside = np.isin(np.arange(counts.shape[-1]), list(labels))
    true, told = counts[..., inside, :], counts[..., :, inside]
    return _ratio(2 * true[..., inside].sum((-1, -2)), true.sum((-1, -2)) + told.sum((-1, -2)))


def wilson(right: int, n: int) -> Interval:
    """Wilson's 95 % interval of a share."""
    share = right / n
    middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z * ((share * (1 - share) / n + _Z * _Z / (4 * n * n)) ** 0.5) / (1 + _Z * _Z / n)
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


def drawn_again(counts: Counts) -> Counts:
    """`RESAMPLES` tables as they come out where as many rows are drawn again; the same ones every time.

    Drawing rows one by one and counting them is drawing the table from the multinomial distribution. A
    table with more sides than two works as well: three say how two systems did on the same rows.
    """
    cells = counts.ravel()
    n = int(cells.sum())
    drawn = np.random.default_rng(_SEED).multinomial(n, cells / n, size=RESAMPLES)
    return drawn.reshape(RESAMPLES, *counts.shape)


def interval(drawn: Shares, value: float | None = None) -> Interval:
    """The 95 % interval of what the bootstrap drew.

    A rare label is missing from many drawn tables, which can push all of them to one side; the interval is
    stretched to hold the ``value`` that was measured.
    """
    low, high = (float(edge) for edge in np.percentile(drawn, [2.5, 97.5]))
    return (low, high) if value is None else (min(low, value), max(high, value))


def calibration_error(right: Right, sure: Shares) -> float:
    """The expected calibration error: how far confidence is from accuracy, in ten bins of equal width."""
    bins = np.minimum((sure * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, weights=right - sure, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))


def accuracy_of_surest(right: Right, sure: Shares, share: float) -> float:
    """The accuracy on that share of the rows of which the system is surest."""
    top = np.argsort(-sure, kind="stable")[: max(1, round(share * len(right)))]
    return float(right[top].mean())


def coverage(right: Right, sure: Shares, wanted: float) -> float:
    """The largest share of surest rows whose accuracy is at least ``wanted``.

    Rows of the same confidence are taken together, as every threshold takes them.
    """
    order = np.argsort(-sure, kind="stable")
    taken = np.arange(1, len(order) + 1)
    good = right[order].cumsum() >= wanted * taken - 1e-9
    ends = np.append(np.diff(sure[order]) != 0, True)
    held = taken[good & ends]
    return float(held.max() / len(order)) if len(held) else 0.0


def _right(counts: Counts) -> Counts:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _ratio(part: Counts, whole: Counts) -> Shares:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)


def _mean_where(values: Shares, occurs: Right) -> Shares:
    return _ratio((values * occurs).sum(-1), occurs.sum(-1))
