"""Maps the labels of a model made elsewhere to ours: by name where they are known, else as the brand says.

Every one of its labels must mean one of ours or be ignored: what is left to guessing would be wrong
silently. Several of theirs may mean one of ours; their shares add up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from casework.classification import Intent, Sentiment, Urgency
from classifier.bundle import ModelUnavailable

Head = Literal["sentiment", "intent", "urgency"]

HEADS: Final[Mapping[Head, tuple[str, ...]]] = {
    "sentiment": tuple(Sentiment),
    "intent": tuple(Intent),
    "urgency": tuple(Urgency),
}
"""What a head judges, and the labels that it may give."""

IGNORE: Final = "ignore"
"""Stands in a map for a label that means none of ours: its share is dropped, the others fill its place."""

_SHORT = {"neg": "negative", "neu": "neutral", "pos": "positive"}


@dataclass(frozen=True, slots=True)
class LabelMap:
    """What each label of a model means for one head, in the model's own order; None where it is ignored."""

    head: Head
    meanings: tuple[str | None, ...]

    @property
    def ours(self) -> tuple[str, ...]:
        """The labels of ours that the model can give, in our order."""
        return tuple(label for label in HEADS[self.head] if label in self.meanings)


def label_map(head: Head, theirs: Sequence[str], written: Mapping[str, str], whose: str) -> LabelMap:
    """The map of a model's labels for a head: ``written`` first, then the names that are known.

    Raises:
        ModelUnavailable: it is incomplete, unknown or ambiguous; the sentence names both sets of labels.
    """
    both = f"{whose} has the labels {_listed(theirs)}; the {head} has {_listed(HEADS[head])}, or `{IGNORE}`"
    by_label = _by_label(theirs, written, both)
    meanings = [by_label.get(label) or _known(head, label) or "" for label in theirs]
    unclear = [label for label, meaning in zip(theirs, meanings, strict=True) if not meaning]
    if unclear:
        raise ModelUnavailable(
            f"{_listed(unclear)} means nothing to Heard: {both}: say what each means under "
            f"classifier.heads.{head}.labels"
        )
    strange = sorted(set(meanings) - {*HEADS[head], IGNORE})
    if strange:
        raise ModelUnavailable(f"there is no {head} {_listed(strange)}: {both}")
    made = LabelMap(head, tuple(None if meaning == IGNORE else meaning for meaning in meanings))
    if len(made.ours) < 2:
        raise ModelUnavailable(f"a {head} needs two different labels at least: {both}")
    return made


def head_of(theirs: Sequence[str], whose: str) -> Head:
    """The head that a model judges, as its labels tell.

    Raises:
        ModelUnavailable: they tell of none.
    """
    for head in HEADS:
        if theirs and all(_known(head, label) for label in theirs):
            return head
    raise ModelUnavailable(
        f"{whose} has the labels {_listed(theirs)}, which do not tell what it judges: name it under "
        "classifier.heads (sentiment, intent or urgency) with a map `labels` to ours"
    )


def _known(head: Head, label: str) -> str | None:
    plain = _plain(label)
    ours = _SHORT.get(plain, plain)
    return ours if ours in HEADS[head] else None


def _by_label(theirs: Sequence[str], written: Mapping[str, str], both: str) -> dict[str, str]:
    """What is written, by the label as the model spells it."""
    found: dict[str, str] = {}
    for name, meaning in written.items():
        spelled = [name] if name in theirs else [label for label in theirs if _plain(label) == _plain(name)]
        if not spelled:
            raise ModelUnavailable(f"the map has `{name}`, which is no label of it: {both}")
        if len(spelled) > 1 or spelled[0] in found:
            raise ModelUnavailable(f"the map has `{name}`, which fits more than one label or line: {both}")
        found[spelled[0]] = _plain(meaning)
    return found


def _plain(label: str) -> str:
    return label.strip().casefold()


def _listed(labels: Iterable[str]) -> str:
    # A stranger's file may hold anything: a sentence stays short and on one line.
    names = ["".join(c if c.isprintable() else "·" for c in str(label))[:40] for label in labels]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
