"""Turns what a head says into a label, how sure it is, and whether it is sure enough to act on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """The label a head chose, its probability from 0 to 1, and whether that is enough."""

    label: str
    probability: float
    sure: bool


@dataclass(frozen=True, slots=True)
class Head:
    """One question that the model answers, and how its logits are read.

    ``temperature`` and ``bias`` make logits probabilities that come true as often as they say (Guo et al.,
    "On Calibration of Modern Neural Networks", ICML 2017: temperature and bias-corrected scaling). ``lean``
    is added to the logarithm of each probability before the largest is chosen: it says what a mistake
    costs (a missed `high` more than a needless one) and leaves the probability as it is. Below
    ``sure_at`` the label is a guess. All but the temperature have one number for each label.
    """

    labels: tuple[str, ...]
    temperature: float
    bias: tuple[float, ...]
    lean: tuple[float, ...]
    sure_at: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what does not fit together.

        Raises:
            ValueError: a list has another length than the labels, or a number makes no sense.
        """
        sizes = {len(self.labels), len(self.bias), len(self.lean), len(self.sure_at)}
        if len(sizes) != 1 or len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"the labels {self.labels} and their numbers do not fit together")
        if not self.temperature > 0:
            raise ValueError(f"a temperature of {self.temperature} is none")

    def probabilities(self, logits: Sequence[float]) -> list[float]:
        """One probability for each label, in order."""
        shifted = [value / self.temperature + bias for value, bias in zip(logits, self.bias, strict=True)]
        largest = max(shifted)
        weights = [math.exp(value - largest) for value in shifted]
        total = math.fsum(weights)
        return [weight / total for weight in weights]

    def read(self, logits: Sequence[float]) -> Verdict:
        """What the head decides."""
        shares = self.probabilities(logits)
        scores = [math.log(max(share, 1e-30)) + lean for share, lean in zip(shares, self.lean, strict=True)]
        best = max(range(len(scores)), key=scores.__getitem__)
        return Verdict(self.labels[best], shares[best], shares[best] >= self.sure_at[best])
