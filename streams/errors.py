"""What can be wrong with the store, each in one plain sentence that says what to do."""

from casework.errors import HeardError


class StoreUnavailable(HeardError):
    """The store cannot be reached or started."""


class WrongStore(HeardError):
    """The store is there, but it is not one that Heard can use."""
