"""Everything that decides what comes out of a training, beside the data: a YAML file, checked when read."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from casework.errors import HeardError
from classifier.learning import Stage

DEFAULT = Path(__file__).with_name("recipe.yaml")
"""The recipe that the bundled model was made by."""


class RecipeError(HeardError):
    """The recipe cannot be followed; the message says where it is wrong."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How much a row of each kind counts, beside a labelled mention that annotators agreed on."""

    unsure: float = 0.6
    """A mention or tweet whose labels a careful colleague might not give."""
    tweets: float = 0.5
    """A tweet that names a brand, labelled by one annotator."""
    written: float = 0.5
    """A post written for training."""
    replayed: float = 0.5
    """A tweet of stage one that is read again in stage two, lest its tone be forgotten."""
    remarks: float = 0.0
    """A comment from Reddit, read for its tone in stage one; 0 leaves them out."""
    believed: float = 0.3
    """A post that nobody labelled, with the larger model's belief alone."""
    feedback: float = 1.0
    """A mention whose labels somebody at the desk corrected."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `heard train` follows.

    ``orders`` is how often stage two is run, each time in another order, before the weights are averaged;
    ``tone_orders`` the same of stage one.
    ``replayed`` tweets of stage one are read again in each of its epochs. ``folds`` is how many parts the
    brands are dealt into: each part is judged by a model that saw the others alone, and on those answers
    the reading of the logits is fitted. ``teacher`` is the share of the larger model's belief in what a
    tweet's tone is, ``teacher_of_mentions`` in what a labelled mention is; the rest is the label.
    ``recall_of_high`` is how many of the mentions that cannot wait are to be found.
    """

    tone: Stage
    brand: Stage
    together: Stage | None = None
    """A third stage over tweets and mentions alike; None for none. It brought tone .3 points on TweetEval's
    test and cost four on mentions (docs/adr/0019)."""
    seed: int = 7
    tone_orders: int = 1
    orders: int = 3
    replayed: int = 4_000
    folds: int = 4
    teacher: float = 0.7
    teacher_of_remarks: float = 0.5
    teacher_of_mentions: float = 0.5
    anchored_every: int = 3
    longest: int = 96
    dropout: float = 0.1
    recall_of_high: float = 0.82
    shares: Shares = field(default_factory=Shares)


def read_recipe(path: Path = DEFAULT) -> Recipe:
    """The recipe in the file.

    Raises:
        RecipeError: it is missing, no YAML, or says something that is not known.
    """
    try:
        written = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        return msgspec.convert(written, Recipe)
    except OSError as missing:
        raise RecipeError(f"{path}: {missing.strerror}") from missing
    except (YAMLError, msgspec.ValidationError, UnicodeDecodeError) as wrong:
        raise RecipeError(f"{path} is no recipe: {' '.join(str(wrong).split())}") from wrong
