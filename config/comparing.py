"""Compares two models on the fixed sets, so that nothing worse is swapped in unnoticed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from casework.errors import HeardError

if TYPE_CHECKING:
    from classifier.evaluate import HeadScore

FIXED_SETS: Final = ("brandgold/validation.jsonl.gz", "tweeteval_sentiment/val.jsonl.gz")
"""Real posts that no model of ours is trained on."""
COMPARED: Final = ("accuracy", "macro_f1", "macro_recall")
_BY_CHANCE: Final = 0.005
"""Half a point is less than another seed makes."""


def fixed_sets(folder: Path) -> list[Path]:
    """The fixed sets in a folder of labelled sets; none where they are not on this machine."""
    return [path for name in FIXED_SETS if (path := folder / name).is_file()]


def worse_than(candidate: Path, current: Path, sets: Sequence[Path]) -> tuple[str, ...]:
    """What the candidate is worse at than the current model, one sentence for each set, head and figure.

    Raises:
        HeardError: one of the models, or of the sets, cannot be read.
    """
    from classifier.baselines import Training
    from classifier.evaluate import evaluate
    from classifier.labelled import read_labelled
    from classifier.model import Classifier

    if not sets:
        raise HeardError("there is nothing to compare the models on: name the folder of labelled sets")
    nobody = Training.of(None)
    new, old = Classifier.load(candidate), Classifier.load(current)
    said: list[str] = []
    for path in sets:
        rows = read_labelled([path])
        ours, theirs = evaluate(new, rows, nobody), evaluate(old, rows, nobody)
        for head, score in theirs.heads.items():
            said += _worse(f"{path.parent.name}, {head}", ours.heads[head], score)
    return tuple(said)


def _worse(where: str, ours: "HeadScore", theirs: "HeadScore") -> list[str]:
    pairs = [(name, ours.figures[name], theirs.figures[name]) for name in COMPARED]
    return [
        f"{where}: {name.replace('_', ' ')} {new:.3f} against {old:.3f}"
        for name, new, old in pairs
        if new < old - _BY_CHANCE
    ]
