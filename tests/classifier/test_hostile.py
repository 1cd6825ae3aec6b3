"""Nothing that is written before or behind a post that needs a person makes Heard handle it by itself."""

import pytest

from casework.classification import Doubt
from classifier.model import Classifier
from classifier.parts import PART, STEP, parts_of
from tests.classifier.hostile import CALM, NAUGHTY, WRITTEN, hidden

AS_MANY_AS_A_TEST_MAY_TAKE = 800


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
    small_talk = found["small talk"]
    assert small_talk.after <= 0.02 * small_talk.tried
    assert not [corpus for corpus, figures in found.items() if figures.after and figures is not small_talk]
    assert sum(figures.before for figures in found.values()) / sum(one.tried for one in found.values()) < 0.5


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


@pytest.mark.parametrize("length", [0, 1, PART, PART + 1, PART + STEP, 50, 126])
def test_each_stretch_of_a_text_lies_in_a_part(length: int) -> None:
    """Parts overlap, are of one size, and stand between the marks of a beginning and an end."""
    parts = parts_of([-1, *range(length), -2])
    if length <= PART:
        assert parts == []
        return
    assert all((part[0], part[-1], len(part)) == (-1, -2, PART + 2) for part in parts)
    insides = [set(part[1:-1]) for part in parts]
    stretch = PART - STEP + 1
    for start in range(length - stretch + 1):
        assert any(set(range(start, start + stretch)) <= inside for inside in insides)
    assert len(parts) <= 30
