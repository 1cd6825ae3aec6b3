"""What can go wrong with a case, as one tree: every error of Heard is a `HeardError`.

HeardError
├── IllegalMove        the case is not in a status that allows this move
├── Conflict           somebody else moved the case first
├── NoSuchCase         no case has this id
├── NotAllowedHere     the platform's rules do not let Heard do this
├── TextChanged        the draft is not the text the person saw
├── TryAgainLater      fate one of a failed entry: not now
└── Unprocessable      fate two of a failed entry: never; it becomes a dead letter
"""

from datetime import timedelta


class HeardError(Exception):
    """Something that Heard can explain in one plain sentence."""


class IllegalMove(HeardError):
    """The case is not in a status that allows this move."""

    def __init__(self, move: str, status: str, case_id: str) -> None:
        super().__init__(f"{case_id} is {status}, so it cannot {move}")
        self.move = move
        self.status = status
        self.case_id = case_id


class NoSuchCase(HeardError):
    """No case has this id."""

    def __init__(self, case_id: str) -> None:
        super().__init__(f"there is no case {case_id}")
        self.case_id = case_id


class Conflict(HeardError):
    """Somebody else moved the case first; ``version`` is the present one, ``won_by`` who made it."""

    def __init__(self, case_id: str, *, version: int, won_by: str, move: str) -> None:
        super().__init__(f"{won_by} was faster: {case_id} is now at version {version} ({move})")
        self.case_id = case_id
        self.version = version
        self.won_by = won_by
        self.move = move


class TextChanged(HeardError):
    """The draft is not the text the person saw, so their approval does not cover it (T5)."""

    def __init__(self, case_id: str) -> None:
        super().__init__(f"the draft of {case_id} changed since you read it; read it again")
        self.case_id = case_id


class TryAgainLater(HeardError):
    """Not now: hand this entry over again after a while. Later entries of the same case wait for it."""

    def __init__(self, reason: str, *, after: timedelta) -> None:
        super().__init__(reason)
        self.after = after


class Unprocessable(HeardError):
    """Never: this entry cannot be handled and goes to the dead letters with its reason."""


class NotAllowedHere(HeardError):
    """The platform's rules do not let Heard do this; ``rule`` is its number in the rule table."""

    def __init__(self, case_id: str, *, rule: str, why: str) -> None:
        super().__init__(f"{case_id} cannot be answered from here: {why} (rule {rule})" if rule else why)
        self.case_id = case_id
        self.rule = rule
        self.why = why
