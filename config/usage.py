"""How a command was called wrongly: the exit code tells a slip of the hand from a problem found."""

from casework.errors import HeardError


class WrongUsage(HeardError):
    """An argument or option means nothing: exit code 2, where any other `HeardError` is 1."""
