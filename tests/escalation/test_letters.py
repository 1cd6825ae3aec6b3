"""Dead letters are told of: when they appear, when they become more, and when all are handled. Each once."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from casework.clock import ManualClock
from casework.errors import HeardError
from escalation.letters import AGAIN, LetterWatch, words_for
from streams.connection import Store
from streams.dead_letters import DeadLetter, DeadLetters, Told
from tests.fakes.cases import NOON
from tests.fakes.letters import bury_line


@dataclass
class Managers:
    """Those who are told, when they can be reached."""

    told: list[str] = field(default_factory=list)
    away: bool = False

    async def hear(self, words: str) -> None:
        """They are told."""
        if self.away:
            raise HeardError("nobody is there")
        self.told.append(words)


@dataclass
class Office:
    """A store with dead letters, and a process that looks at them; a new one is a restart."""

    store: Store
    clock: ManualClock
    managers: Managers = field(default_factory=Managers)
    letters: list[DeadLetter] = field(default_factory=list)
    buried: int = 0

    async def bury(self, count: int) -> None:
        """So many more."""
        for _ in range(count):
            self.buried += 1
            self.letters.append(await bury_line(self.store, self.buried))

    async def handle(self, count: int) -> None:
        """So many fewer."""
        gone, self.letters = self.letters[:count], self.letters[count:]
        await DeadLetters(self.store).drop(*gone)

    async def look(self) -> None:
        """A process that has just begun looks, twice."""
        watch = LetterWatch(DeadLetters(self.store), self.clock, self.managers.hear)
        await watch.look()
        await watch.look()


@pytest.fixture
def office(store: Store, clock: ManualClock) -> Office:
    return Office(store, clock)


async def test_the_first_dead_letter_is_told_once_by_whoever_looks(office: Office) -> None:
    """Whatever starts again meanwhile: the store remembers."""
    await office.look()
    assert office.managers.told == []

    await office.bury(1)
    for _ in range(3):
        await office.look()

    (words,) = office.managers.told
    assert words.startswith("One thing could not be handled")


async def test_more_are_told_when_they_have_doubled_or_after_an_hour(office: Office) -> None:
    """A storm is not a message each."""
    await office.bury(10)
    await office.look()
    for _ in range(9):
        await office.bury(1)
        await office.look()
    assert len(office.managers.told) == 1

    await office.bury(1)
    await office.look()
    assert office.managers.told[1].startswith("There are 20 dead letters now; there were 10")

    await office.bury(1)
    office.clock.advance(AGAIN)
    await office.look()
    assert office.managers.told[2].startswith("There are 21 dead letters now")


async def test_that_all_are_handled_is_told_too(office: Office) -> None:
    """And what comes later is new."""
    await office.bury(2)
    await office.look()
    await office.handle(2)
    await office.look()
    await office.bury(1)
    await office.look()

    assert [words.split(" ", 1)[0] for words in office.managers.told] == ["2", "All", "One"]


async def test_what_comes_after_some_were_handled_is_more_again(office: Office) -> None:
    """Nine of ten were handled; two more are more than twice the one."""
    await office.bury(10)
    await office.look()
    await office.handle(9)
    await office.look()
    await office.bury(2)
    await office.look()

    assert office.managers.told[-1].startswith("There are 3 dead letters now; there were 1")


async def test_what_could_not_be_told_is_told_at_the_next_look(office: Office) -> None:
    """No alarm is lost while the chat is down."""
    office.managers.away = True
    await office.bury(1)
    await office.look()
    office.managers.away = False
    await office.look()

    assert len(office.managers.told) == 1


async def test_one_process_tells_while_the_others_wait(office: Office) -> None:
    """Whoever comes while another is telling leaves it to that one."""
    await office.bury(1)
    async with DeadLetters(office.store).telling() as mine:
        assert mine
        await office.look()
    assert office.managers.told == []

    await office.look()
    assert len(office.managers.told) == 1


def test_nothing_is_said_where_nothing_is() -> None:
    """Neither before the first one, nor again and again after the last."""
    assert words_for(0, None, NOON) is None
    assert words_for(3, Told(3, NOON), NOON + timedelta(days=1)) is None
