"""What can be wrong with the store, each in one plain sentence that says what to do."""

from casework.errors import HeardError


class StoreUnavailable(HeardError):
    """The store cannot be reached or started."""


class WrongStore(HeardError):
    """The store is there, but it is not one that Heard can use."""


class NotCopied(ConnectionError):
    """A write is in the store and on too few replicas: a failover may lose it, so nothing may rest on it.

    An error of the connection and none of Heard's own: whoever wrote does as after a lost answer.
    """
