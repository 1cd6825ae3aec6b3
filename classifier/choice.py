"""Which model judges which head: the bundled one, and models made elsewhere in the place of single heads.

`classifier.model` is the bundled model, a folder like it, or a model made elsewhere, which then judges the
head that its labels tell. `classifier.heads` names one for a head. What is not named stays with the bundled
model. torch is not needed here, so that the doctor can tell at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from classifier.bundle import BUNDLED, ModelUnavailable
from classifier.labels import Head, LabelMap, head_of, label_map
from classifier.others import BUNDLED_NAME, Found, Wanted, is_elsewhere_made

Find = Callable[[Wanted], Found]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the settings choose."""

    model: str = BUNDLED_NAME
    heads: Mapping[Head, Wanted] = field(default_factory=dict)
    bundled: Path = BUNDLED
    """What stands for the bundled model: itself, or the one that somebody chose in its place."""

    @property
    def names_a_folder(self) -> bool:
        """Whether the settings name a folder of our own make, which has the last word."""
        return self.model != BUNDLED_NAME and not is_elsewhere_made(self.model)

    @property
    def base(self) -> Path:
        """The folder of the model that judges every head not named, and gives topics and vectors."""
        return Path(self.model).expanduser() if self.names_a_folder else self.bundled

    @property
    def wanted(self) -> tuple[tuple[Head | None, Wanted], ...]:
        """The models made elsewhere, with the head that each is named for; None where its labels tell."""
        named: tuple[tuple[Head | None, Wanted], ...] = tuple(self.heads.items())
        return ((None, Wanted(self.model)), *named) if is_elsewhere_made(self.model) else named


@dataclass(frozen=True, slots=True)
class Replaced:
    """A model that judges one head in the place of the bundled one."""

    found: Found
    labels: LabelMap


def replaced_heads(choice: Choice, find: Find) -> tuple[Replaced, ...]:
    """The models made elsewhere, each found and its labels mapped.

    Raises:
        ModelUnavailable: one cannot be had, its labels do not fit, or two are there for one head.
    """
    made: dict[Head, Replaced] = {}
    for head, wanted in choice.wanted:
        replaced = fitted(find(wanted), head)
        if replaced.labels.head in made:
            raise ModelUnavailable(
                f"{choice.model} under classifier.model judges the {replaced.labels.head}, and so does "
                f"{wanted} under classifier.heads: keep one of them"
            )
        made[replaced.labels.head] = replaced
    return tuple(made.values())


def fitted(found: Found, head: Head | None) -> Replaced:
    """The model with its labels mapped, for the head that it is named for or that its labels tell."""
    whose = str(found.wanted)
    judged = head or head_of(found.labels, whose)
    return Replaced(found, label_map(judged, found.labels, found.wanted.labels, whose))
