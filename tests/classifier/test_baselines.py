"""What the model has to beat: every baseline answers, or says why not, and none has seen what it is asked."""

import builtins
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.baselines import (
    TRAINING_FILES,
    BaselineUnavailable,
    Read,
    Training,
    answers,
    baseline,
    read,
)
from classifier.labelled import LabelledRow

NOTHING = Training((), "there is nothing to learn from")


def _rows(*posts: tuple[str, int], head: str = "sentiment") -> list[Read]:
    return read([LabelledRow(text, "here", {head: label}) for text, label in posts])


def _training(folder: Path, name: str, posts: Sequence[dict[str, object]]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("\n".join(json.dumps(post) for post in posts).encode()))


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a library one that is not installed."""
    plain_import = builtins.__import__

    def forgotten(library: str) -> None:
        def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.startswith(library):
                raise ModuleNotFoundError(name)
            return plain_import(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", refuse)

    return forgotten


def test_the_training_sets_of_a_folder_are_read_those_that_are_there(tmp_path: Path) -> None:
    """Tweets know of sentiment only, mentions of all three."""
    _training(tmp_path, TRAINING_FILES[1], [{"text": "a tweet", "label": 2}])
    assert Training.of(tmp_path).examples("sentiment") == [("a tweet", 2)]
    _training(tmp_path, TRAINING_FILES[0], [{"text": "a mention", "sentiment": "negative", "intent": "bug"}])

    both = Training.of(tmp_path)

    assert both.examples("sentiment") == [("a mention", 0), ("a tweet", 2)]
    assert both.examples("intent") == [("a mention", 1)]
    assert both.examples("urgency") == []


def test_without_training_sets_it_is_said_why(tmp_path: Path) -> None:
    """A folder was not named, or holds none."""
    assert "--training" in Training.of(None).missing
    assert f"{tmp_path} holds neither brandgold/train" in Training.of(tmp_path).missing


def test_no_baseline_learns_what_it_is_asked() -> None:
    """A copy is a copy whatever its handles, links, capitals and marks."""
    training = Training(_rows(("@acme I LOVE it! https://a.example/1", 2), ("another post", 1)))

    apart = training.without(_rows(("i love   it @friend http", 2)))

    assert apart.examples("sentiment") == [("another post", 1)]
    assert apart.left_out == 1


def test_the_largest_class_is_that_of_the_training_rows_where_there_are_any() -> None:
    """Else that of the rows themselves."""
    rows = _rows(("a", 0), ("b", 0), ("c", 2))

    assert answers("sentiment", rows, NOTHING).told["majority"].tolist() == [0, 0, 0]
    learned = Training(_rows(("d", 2), ("e", 2), ("f", 1)))
    assert answers("sentiment", rows, learned).told["majority"].tolist() == [2, 2, 2]


def test_vader_and_words_judge_the_feeling() -> None:
    """VADER at its authors' thresholds; neither needs training rows."""
    rows = _rows(("This is GREAT!!! 😍", 2), ("The bus leaves at nine", 1), ("I hate this awful thing", 0))

    told = answers("sentiment", rows, NOTHING).told

    assert told["vader"].tolist() == [2, 1, 0]
    assert told["keywords"].tolist() == [2, 1, 0]
    assert "vader" not in answers("intent", _rows(("a", 0), head="intent"), NOTHING).told


def test_the_bag_of_words_learns_from_the_training_rows() -> None:
    """Words it has seen decide, and its shares of belief add up to one."""
    posts = [(f"good news number {n}", 2) for n in range(8)] + [(f"bad news number {n}", 0) for n in range(8)]

    told = answers("sentiment", _rows(("bad", 0), ("good", 2)), Training(_rows(*posts))).told["tfidf"]

    assert told.tolist() == [0, 2]
    shares = baseline(posts, 3)(["good", "bad"])
    assert shares.sum(1) == pytest.approx([1, 1])
    assert np.array_equal(shares[:, 1], [0, 0])


@pytest.mark.parametrize(
    ("training", "why"),
    [
        (NOTHING, "there is nothing to learn from"),
        (Training(_rows(("a", 1), ("b", 1))), "no two labels of sentiment occur in the training rows"),
        (Training(_rows(("a", 1), ("b", 2))), "2 training rows are too few"),
    ],
)
def test_a_bag_of_words_that_cannot_be_trained_says_why(training: Training, why: str) -> None:
    """The other baselines answer all the same."""
    said = answers("sentiment", _rows(("a b", 1)), training)

    assert list(said.told) == ["majority", "keywords", "vader"]
    assert why in said.unmeasured["tfidf"]


@pytest.mark.parametrize(
    ("library", "name"), [("sklearn", "tfidf"), ("vaderSentiment", "vader"), ("threadpoolctl", "tfidf")]
)
def test_a_library_that_is_not_installed_is_named(
    forget: Callable[[str], None], library: str, name: str
) -> None:
    """They are no part of a production install."""
    forget(library)

    posts = [(f"{word} news", label) for word, label in (("good", 2), ("bad", 0)) for _ in range(4)]
    said = answers("sentiment", _rows(("a", 1)), Training(_rows(*posts)))

    assert name not in said.told
    assert "is not installed: it is a development extra" in said.unmeasured[name]
    assert len(said.told) == 3


def test_the_bag_of_words_alone_says_so_too(forget: Callable[[str], None]) -> None:
    """For whoever calls it by itself."""
    forget("sklearn")

    with pytest.raises(BaselineUnavailable, match="scikit-learn"):
        baseline([("a", 0), ("b", 1)], 2)
