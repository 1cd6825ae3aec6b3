"""One line of the doctor: what was looked at, how it stands, in words, and what mends it."""

from dataclasses import asdict, dataclass
from typing import Final, Literal

State = Literal["ok", "warn", "bad"]
MARKS: Final = {"ok": "✔", "warn": "!", "bad": "✘"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it stands, in words, and the command or line that mends it."""

    name: str
    state: State
    words: str
    fix: str = ""

    def sentence(self) -> str:
        """The line on a terminal."""
        fix = f"\n{'':18}→ {self.fix}" if self.fix else ""
        return f" {MARKS[self.state]} {self.name:<14} {self.words}{fix}"

    def as_json(self) -> dict[str, str]:
        """Plain values for JSON."""
        return asdict(self)
