"""Which words mattered: those whose absence costs the label its probability."""

from collections.abc import Sequence

import pytest

from classifier.explain import MOST_WORDS, explain, that_mattered
from classifier.model import Classifier


class Counting:
    """A model that calls a text a bug the more often it says "crash"."""

    def probabilities(self, texts: Sequence[str]) -> list[dict[str, dict[str, float]]]:
        """Three tenths for each crash."""
        return [{"intent": {"bug": min(1.0, 0.1 + 0.3 * text.count("crash"))}} for text in texts]


def test_the_word_that_a_label_hangs_on_is_found() -> None:
    """And where it stands; words that give nothing give nothing."""
    words = explain(Counting(), "my app will crash today", {"intent": "bug"})["intent"]
    assert [word.word for word in words] == ["my", "app", "will", "crash", "today"]
    (crash,) = that_mattered(words)
    assert (crash.word, crash.start) == ("crash", 12)
    assert crash.gave == pytest.approx(0.3)


def test_a_long_post_is_explained_by_its_beginning() -> None:
    """Time is bounded."""
    assert len(explain(Counting(), "crash " * 10_000, {"intent": "bug"})["intent"]) == MOST_WORDS


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_nothing_to_read_has_nothing_to_mark(text: str) -> None:
    """An empty post is no error."""
    assert explain(Counting(), text, {"intent": "bug"}) == {"intent": []}


def test_the_bundled_model_hangs_a_fault_on_the_word_that_names_it() -> None:
    """What a reader would underline."""
    model = Classifier.load()
    text = "@acme the checkout keeps crashing when I press pay"
    (said,) = model.classify([text])
    words = explain(model, text, {"intent": said.intent})["intent"]
    assert "crashing" in [word.word for word in that_mattered(words)]
