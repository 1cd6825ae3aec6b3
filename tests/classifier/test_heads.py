"""How a head's logits become a label, a probability and a doubt."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.heads import Head

PLAIN = Head(("low", "normal", "high"), 1.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5))

logits = st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3)


@given(logits)
def test_probabilities_are_shares_whatever_the_logits(said: list[float]) -> None:
    """No logit is too large to be read."""
    shares = PLAIN.probabilities(said)
    assert math.isclose(sum(shares), 1.0, rel_tol=1e-9)
    assert all(0.0 <= share <= 1.0 for share in shares)


@given(logits)
def test_without_a_lean_the_likeliest_label_is_chosen(said: list[float]) -> None:
    """And its probability is the largest."""
    verdict = PLAIN.read(said)
    assert verdict.probability == max(PLAIN.probabilities(said))


def test_a_temperature_makes_a_head_less_sure_but_changes_no_label() -> None:
    """Dividing by two halves the distance between the logits."""
    said = [2.0, 0.0, -1.0]
    cooled = replace(PLAIN, temperature=2.0)
    assert cooled.read(said).label == PLAIN.read(said).label == "low"
    assert cooled.read(said).probability == pytest.approx(math.exp(1) / (math.exp(1) + 1 + math.exp(-0.5)))


def test_a_lean_changes_the_label_and_leaves_the_probability_honest() -> None:
    """A missed `high` costs more than a needless one: at three in ten it is called, and says three in ten."""
    careful = replace(PLAIN, lean=(0.0, 0.0, 1.0))
    said = [math.log(0.6), math.log(0.1), math.log(0.3)]
    assert PLAIN.read(said).label == "low"
    verdict = careful.read(said)
    assert (verdict.label, verdict.sure) == ("high", False)
    assert verdict.probability == pytest.approx(0.3)


def test_each_label_has_its_own_threshold() -> None:
    """To need no reply takes more certainty than to need one."""
    head = replace(PLAIN, sure_at=(0.95, 0.5, 0.3))
    assert not head.read([math.log(0.9), math.log(0.05), math.log(0.05)]).sure
    assert head.read([math.log(0.05), math.log(0.9), math.log(0.05)]).sure


@pytest.mark.parametrize(
    "changed",
    [
        {"bias": (0.0,)},
        {"lean": (0.0, 0.0)},
        {"sure_at": ()},
        {"labels": ("low", "low", "high")},
        {"temperature": 0.0},
        {"temperature": float("nan")},
    ],
)
def test_numbers_that_do_not_fit_the_labels_are_refused(changed: dict[str, object]) -> None:
    """A configuration with a slip in it never judges."""
    with pytest.raises(ValueError, match=r"fit together|temperature"):
        replace(PLAIN, **changed)  # type: ignore[arg-type]
