"""The words: how long ago, how long is left, and nothing hidden in a text."""

from datetime import timedelta

import pytest

from casework import words
from casework.case import Move, Standing, Status
from casework.decisions import allowed
from tests.fakes.cases import in_status
from webdesk import views


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"),
        (1, "1 second ago"),
        (20, "20 seconds ago"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (86400, "1 day ago"),
        (-5, "just now"),
    ],
)
def test_how_long_ago(seconds: int, said: str) -> None:
    """Rounded down to what a person would say."""
    assert words.ago(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1062, "17:42 left"),
        (59, "0:59 left"),
        (0, "0:00 left"),
        (-1, "1 s late"),
        (-180, "3 min late"),
        (3600, "1 h 0 min left"),
        (-7500, "2 h 5 min late"),
        (90_000, "1 d 1 h left"),
    ],
)
def test_how_long_is_left(seconds: int, said: str) -> None:
    """A countdown to the second within the hour, coarser beyond."""
    assert words.left(timedelta(seconds=seconds)) == said


def test_every_move_status_and_standing_has_words() -> None:
    """Nothing that can happen is shown as a code name."""
    assert set(words.DONE) == set(Move)
    assert set(words.STATUS) == set(Status)
    assert set(words.SHAPES) == set(Standing)


@pytest.mark.parametrize("text", ["plain", "👩‍👩‍👧‍👦 ❤️", "مرحبا", "می‌خواهم", "two\nlines\tand a tab"])
def test_what_is_not_hidden_stays_as_it_is(text: str) -> None:
    """Joiners that emoji and Persian need are no tricks."""
    assert words.visible(text) == text


@pytest.mark.parametrize("status", list(Status))
def test_every_status_can_be_shown(status: Status) -> None:
    """A case in any status has a row, a state with a shape, and a list of moves."""
    case = in_status(status)
    row = views.row(case, case.opened_at)

    assert row.state.word
    assert row.state.shape
    assert isinstance(allowed(case), frozenset)
