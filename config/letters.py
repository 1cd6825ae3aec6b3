"""Dead letters on the command line: what they say, put back, thrown away."""

import getpass
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from casework.case import standing
from casework.clock import SystemClock
from casework.errors import HeardError
from config.logs import nowhere, set_up_logs
from config.places import here
from config.readers import CaseShown, plain, stored
from streams.case_store import CaseStore
from streams.dead_letters import DeadLetter, DeadLetters

ALL: Final = "all"
LAST_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class LetterShown:
    """One dead letter, and its case if it is about one that is there."""

    letter: DeadLetter
    case: CaseShown | None = None

    def as_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        about = {"case": self.case.as_json()} if self.case else {}
        return {**asdict(self.letter), **about}

    def sentence(self) -> str:
        """One line for a terminal."""
        letter = self.letter
        return f"{letter.id:<24} {letter.where or letter.case_id:<16} {plain(letter.reason)}"

    def text(self) -> str:
        """All of it on a terminal."""
        letter = self.letter
        lines = [
            f"{letter.id}  {letter.at:%Y-%m-%d %H:%M} UTC",
            f"why        {plain(letter.reason)}",
            f"from       {letter.topic or plain(letter.where)}",
        ]
        lines += [f"line       {plain(letter.raw)}"] if letter.raw else []
        if self.case is None:
            lines += [f"case       {letter.case_id}, which is not there any more"] if letter.case_id else []
            return "\n".join(lines)
        case, judged = self.case.case, self.case.case.classification
        labels = f", {judged.sentiment}, {judged.intent}, {judged.urgency}" if judged else ""
        lines.append(f"case       {case.id}  {standing(case)} ({case.status}{labels})")
        lines += [
            f"           {entry.at:%m-%d %H:%M}  {entry.by}: {entry.what} {plain(entry.detail)}"
            for entry in self.case.timeline[-LAST_SHOWN:]
        ]
        return "\n".join(lines)


async def every(demo: bool) -> list[LetterShown]:
    """All dead letters."""
    async with stored(demo) as store:
        return [LetterShown(letter) async for letter in DeadLetters(store).every()]


async def show(demo: bool, letter_id: str) -> LetterShown:
    """One dead letter with its case.

    Raises:
        HeardError: there is none with this id.
    """
    async with stored(demo) as store:
        letter, cases = await DeadLetters(store).find(letter_id), CaseStore(store)
        try:
            case = CaseShown(await cases.load(letter.case_id), await cases.timeline(letter.case_id))
        except HeardError:
            return LetterShown(letter)
        return LetterShown(letter, case)


async def retry(demo: bool, wanted: Sequence[str]) -> int:
    """Put back these dead letters, or all that can be; returns how many.

    Raises:
        HeardError: one of them is not there, or is no entry of a line.
    """
    async with stored(demo) as store:
        dead = DeadLetters(store)
        letters = await _chosen(dead, wanted)
        return sum([await dead.retry(letter) for letter in letters if letter.topic or ALL not in wanted])


async def drop(demo: bool, wanted: Sequence[str], *, why: str) -> int:
    """Throw these dead letters away, or all; returns how many. Who did and why is noted on their cases.

    Raises:
        HeardError: one of them is not there.
    """
    place = here(demo=demo)
    with nowhere() as unseen:
        set_up_logs(place.folder, level=place.settings.log.level, stream=unseen)
        return await _dropped(demo, wanted, why)


async def _dropped(demo: bool, wanted: Sequence[str], why: str) -> int:
    async with stored(demo) as store:
        dead, cases = DeadLetters(store), CaseStore(store)
        letters = await _chosen(dead, wanted)
        by, at = getpass.getuser(), SystemClock().now()
        return sum([await dead.throw_away(letter, cases, by=by, why=why, at=at) for letter in letters])


async def _chosen(dead: DeadLetters, wanted: Sequence[str]) -> list[DeadLetter]:
    if ALL in wanted:
        return [letter async for letter in dead.every()]
    return [await dead.find(letter_id) for letter_id in dict.fromkeys(wanted)]
