"""Nothing that is written before or behind a post that needs a person makes Heard handle it by itself."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.classification import Doubt
from classifier.model import Classifier
from classifier.parts import APART, MOST, PART, parts_of
from tests.classifier.hostile import CALM, NAUGHTY, WRITTEN, hidden

AS_MANY_AS_A_TEST_MAY_TAKE = 900


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The model as it ships."""
    return Classifier.load()


@pytest.mark.skipif(not NAUGHTY.exists(), reason="the folder of hostile inputs is not on this machine")
@pytest.mark.timeout(300)
def test_no_text_around_a_post_hides_it_from_people(classifier: Classifier) -> None:
    """A sample of what `python -m tests.classifier.hostile` tries in full; `-s` prints the rates."""
    found = hidden(classifier, AS_MANY_AS_A_TEST_MAY_TAKE)
    print("\n".join(f"{corpus:12} {figures.text}" for corpus, figures in found.items()))  # noqa: T201
    before = sum(figures.before for figures in found.values())
    tried = sum(figures.tried for figures in found.values())
    assert 0 < before < tried / 2, "or there is nothing for the floor to hold against"
    for corpus, figures in found.items():
        at_most = 0.01 if corpus in {"small talk", "chatter"} else 0
        assert figures.after <= at_most * figures.tried, corpus


def test_small_talk_behind_a_complaint_does_not_hide_it(classifier: Classifier) -> None:
    """The same without the folder, but for one in fifty: it needs a reply, or the model is not sure."""
    posts = [f"{post} {calm}" for post in WRITTEN[:20] for calm in CALM[:3]]
    set_aside = [
        post
        for post, judged in zip(posts, classifier.classify(posts), strict=True)
        if not judged.needs_reply and Doubt.URGENCY not in judged.doubts
    ]
    assert len(set_aside) <= len(posts) / 50, set_aside


def test_a_post_whose_end_is_not_read_is_not_set_aside(classifier: Classifier) -> None:
    """A complaint may stand behind a novel."""
    (judged,) = classifier.classify(["What a lovely evening by the lake. " * 60 + WRITTEN[0]])
    assert judged.truncated
    assert judged.needs_reply or Doubt.URGENCY in judged.doubts


def test_short_chatter_is_as_sure_as_before(classifier: Classifier) -> None:
    """A post that is no longer than one part is read once."""
    judged = classifier.classify(["Watching the game tonight on my new acme tablet", "Lunch, then acme"])
    assert all(not one.needs_reply and Doubt.URGENCY not in one.doubts for one in judged)


@pytest.mark.parametrize("length", [0, 1, PART, PART + 1, PART + APART, 50, 126])
def test_a_long_text_has_a_few_parts_that_lie_apart(length: int) -> None:
    """Parts are of one size, stand between the marks of a beginning and an end, and are never many."""
    parts = parts_of([-1, *range(length), -2], [0.0] * (length + 2))
    if length <= PART:
        assert parts == []
        return
    assert all((part[0], part[-1], len(part)) == (-1, -2, PART + 2) for part in parts)
    begins = sorted(part[1] for part in parts)
    assert all(later - earlier >= APART for earlier, later in pairwise(begins))
    assert len(parts) == min(MOST, 1 + (length - PART) // APART)


@given(st.integers(0, 113))
def test_the_least_calm_stretch_is_a_part(start: int) -> None:
    """Wherever it stands, and first."""
    calm = [1.0 + (token % 3) / 10 for token in range(128)]
    for token in range(start + 1, start + 1 + PART):
        calm[token] -= 1.0
    (first, *_) = parts_of(range(128), calm)
    assert first == [0, *range(start + 1, start + 1 + PART), 127]


def test_the_whole_says_which_words_are_not_calm(classifier: Classifier) -> None:
    """A complaint between two calm sentences is what is read again."""
    complaint = "my account was hacked and my money is gone"
    read = classifier.read(f"{CALM[3]} {complaint} {CALM[4]}")
    (thought,) = classifier.think([read])
    first = parts_of(read.ids, thought.calm)[0]
    words = set(classifier.read(complaint).ids)
    assert len(words & set(first)) >= 0.8 * len(words)
