"""One line of a case's history: what happened, when, by whom. Never post text."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """What happened to a case at one instant. ``version`` is the case's version after it.

    ``model`` names the weights that judged, where the model did: a correction is held against them.
    """

    at: datetime
    what: str
    by: str
    detail: str = ""
    version: int = 0
    model: str = ""
