"""Fits how a head's logits are read: probabilities that come true, what a mistake costs, when to abstain.

Everything is fitted on answers of models that had not seen the brand or the tweet they were asked about (see
`classifier.train`), never on texts that the figures in the model card are of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from classifier.heads import Head

Truth = NDArray[np.int64]
Numbers = NDArray[np.float64]

_PULL: Final = 4.0
"""How strongly biases are pulled to zero, in rows: a label of six rows must not move far."""
_TRIED: Final = np.round(np.arange(-1.5, 1.55, 0.1), 2)
_ACCURACY_WHERE_SURE: Final = 0.5
_SURE_OF_NO_REPLY: Final = 0.95
_FEWEST_TO_TELL: Final = 20

Goal = Callable[[Truth, Truth], float]
"""How good answers are: the truth, the answers; the larger the better."""

Lean = Callable[[Numbers, Truth], Numbers]
"""What to add to the log of each label's probability, from those logs, a row for each text, and the truth."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Answers, a row of logits for each text and a column for each label; the index of each right label."""

    logits: Numbers
    truth: Truth


def together(*some: Asked) -> Asked:
    """Answers to several sets as one, in which each set counts about the same: rows of small ones recur."""
    most = max(len(asked.truth) for asked in some)
    times = [round(most / len(asked.truth)) for asked in some]
    return Asked(
        np.concatenate([np.tile(asked.logits, (n, 1)) for asked, n in zip(some, times, strict=True)]),
        np.concatenate([np.tile(asked.truth, n) for asked, n in zip(some, times, strict=True)]),
    )


def likeliest(scores: Numbers, _truth: Truth) -> Numbers:
    """No lean: the label with the largest probability is chosen."""
    return np.zeros(scores.shape[1])


def balanced(scores: Numbers, truth: Truth) -> Numbers:
    """Chooses the label that is likelier than it is in general, however rare it is.

    Where probabilities come true no other choice has a higher mean recall of the labels (Menon et al.,
    "Long-tail learning via logit adjustment", ICLR 2021). A lean that was searched for instead was luck.
    """
    often = np.maximum(np.bincount(truth, minlength=scores.shape[1]), 1) / len(truth)
    lean: Numbers = np.round(np.log(often).mean() - np.log(often), 2)
    return lean


def fitted(labels: Sequence[str], asked: Asked, lean: Lean = likeliest) -> Head:
    """The reading of a head: fitted probabilities, the lean of that kind, thresholds."""
    temperature, bias = probabilities_fitted(asked)
    leaning = lean(np.log(_shares(asked.logits, temperature, bias)), asked.truth)
    plain = Head(tuple(labels), temperature, tuple(bias), tuple(leaning), (0.0,) * len(labels))
    return replace(plain, sure_at=thresholds_fitted(plain, asked.logits, asked.truth))


def probabilities_fitted(asked: Asked) -> tuple[float, Numbers]:
    """The temperature, and the bias of each label, under which the truth was most likely."""
    said, right = torch.from_numpy(asked.logits).double(), torch.from_numpy(asked.truth)
    heat = torch.zeros((), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(said.shape[1], dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([heat, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        pulled = _PULL / len(right) * bias.square().sum()
        wrong = functional.cross_entropy(said / heat.exp() + bias, right) + pulled
        wrong.backward()  # type: ignore[no-untyped-call]
        return wrong

    search.step(loss)  # type: ignore[no-untyped-call]
    centred = (bias - bias.mean()).detach().numpy()
    return round(float(heat.exp().detach()), 4), np.round(centred, 4)


def lean_fitted(scores: Numbers, truth: Truth, goal: Goal) -> Numbers:
    """What to add to the log of each probability so that the largest serves the goal best.

    One label after the other is moved over a grid, twice round. A gain that only one step of the grid
    brings is luck: the middle of the best stretch is taken.
    """
    lean = np.zeros(scores.shape[1])
    for _ in range(2):
        for label in range(1, len(lean)):
            reached = [goal(truth, (scores + _with(lean, label, step)).argmax(1)) for step in _TRIED]
            smooth = np.convolve(np.pad(reached, 2, mode="edge"), np.ones(5) / 5, mode="valid")
            lean = _with(lean, label, float(_TRIED[int(smooth.argmax())]))
    return np.round(lean, 2)


def _with(lean: Numbers, label: int, value: float) -> Numbers:
    changed = lean.copy()
    changed[label] = value
    return changed


def thresholds_fitted(head: Head, logits: Numbers, truth: Truth) -> tuple[float, ...]:
    """For each label the probability below which it is a guess.

    A guess is what comes true in less than half of the cases like it. "No reply is needed" is acted on
    without anybody looking, so there it must come true in 95 of 100.
    """
    verdicts = [head.read(row) for row in logits.tolist()]
    right = np.array(
        [head.labels[int(true)] == verdict.label for true, verdict in zip(truth, verdicts, strict=True)]
    )
    shares = np.array([verdict.probability for verdict in verdicts])
    names = np.array([verdict.label for verdict in verdicts])
    return tuple(
        _threshold(
            shares[names == label],
            right[names == label],
            _SURE_OF_NO_REPLY if label == "low" else _ACCURACY_WHERE_SURE,
        )
        for label in head.labels
    )


def _threshold(shares: Numbers, right: NDArray[np.bool_], wanted: float) -> float:
    """The lowest threshold at which those just above it are right often enough."""
    if len(shares) < _FEWEST_TO_TELL:
        return max(wanted, 0.5)
    order = np.argsort(shares)
    width = max(_FEWEST_TO_TELL, len(shares) // 8)
    for start in range(len(order) - width + 1):
        if right[order[start : start + width]].mean() >= wanted:
            return round(float(shares[order[start]]), 3) if start else 0.0
    return round(float(shares[order[-width]]), 3)


def _shares(logits: Numbers, temperature: float, bias: Numbers) -> Numbers:
    shifted = logits / temperature + bias
    weights = np.exp(shifted - shifted.max(1, keepdims=True))
    shares: Numbers = weights / weights.sum(1, keepdims=True)
    return shares


def macro_recall(truth: Truth, told: Truth) -> float:
    """The mean recall of the labels that occur."""
    return float(np.mean([(told[truth == label] == label).mean() for label in np.unique(truth)]))


def macro_f1(truth: Truth, told: Truth) -> float:
    """The mean F1 of the labels that occur in the truth."""
    scores = []
    for label in np.unique(truth):
        hit = ((truth == label) & (told == label)).sum()
        scores.append(2 * hit / ((truth == label).sum() + (told == label).sum()))
    return float(np.mean(scores))


def missed_costs_most(label: int, wanted: float) -> Goal:
    """Macro-F1, but first the recall of one label must reach what is wanted."""

    def goal(truth: Truth, told: Truth) -> float:
        recall = float((told[truth == label] == label).mean())
        return macro_f1(truth, told) - 2.0 * max(0.0, wanted - recall)

    return goal
