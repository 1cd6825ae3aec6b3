"""The chosen model as one object: notices another choice, and goes on with the old one if that fails."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from casework.classification import Classification
from casework.clock import Clock
from casework.errors import HeardError
from config.models import BUNDLED_NAME, Models, Stamp
from config.wiring import Model

LOOK_EVERY: Final = timedelta(seconds=5)

Load = Callable[[Path], Model]
"""The model of a folder, ready to judge; raises where it cannot."""


@runtime_checkable
class Explained(Protocol):
    """A model that gives every label a probability."""

    def probabilities(self, texts: Sequence[str]) -> list[dict[str, dict[str, float]]]:
        """For each text and head the probability of each label."""


Tell = Callable[[str], None]
"""Says one plain sentence to whoever runs Heard."""


class SwappingModel:
    """Judges with the chosen model, whichever that is by now; `config.wiring.Model` to everybody else.

    At most every few seconds, before a batch, it looks whether another choice was written. The new model is
    loaded beside the old one and takes its place whole; a batch that has begun ends with the model that it
    began with. Whatever goes wrong is one sentence, and the model before goes on. Threads that judge
    meanwhile do not wait for the one that loads.
    """

    def __init__(
        self, models: Models, load: Load, *, clock: Clock, tell: Tell, every: timedelta = LOOK_EVERY
    ) -> None:
        """Load the chosen model, or the bundled one where that cannot be.

        Raises:
            HeardError: the bundled model cannot be used either.
        """
        self._models = models
        self._load = load
        self._clock = clock
        self._tell = tell
        self._every = every
        self._looking = threading.Lock()
        self._looked: datetime = clock.now()
        self._seen: Stamp | None = models.stamp()
        self._chosen, self._model = self._first()

    @property
    def name(self) -> str:
        """The name of the weights that judge now."""
        return self._model.name

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        """Judge each text, in order, all with the same weights."""
        return self._current().classify(texts, topics=topics, handles=handles)

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """A vector for each text, in order, all by the same weights."""
        return self._current().embed(texts, handles=handles)

    def probabilities(self, texts: Sequence[str]) -> list[dict[str, dict[str, float]]]:
        """For each text and head the probability of each label; what an explanation is made of.

        Raises:
            HeardError: the model that judges now gives no probabilities.
        """
        model = self._current()
        if not isinstance(model, Explained):
            raise HeardError(f"{model.name} does not give the probabilities that an explanation needs")
        return model.probabilities(texts)

    def _first(self) -> tuple[str, Model]:
        try:
            name = self._models.choice().name
            if name != BUNDLED_NAME:
                return name, self._load(self._models.place(name))
        except Exception as error:  # Whatever it is: the bot must hear.
            self._tell(f"the chosen model cannot be used, the bundled one judges instead: {_why(error)}")
        return BUNDLED_NAME, self._load(self._models.place(BUNDLED_NAME))

    def _current(self) -> Model:
        if self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._model

    def _look(self) -> None:
        now = self._clock.now()
        if now - self._looked < self._every:
            return
        self._looked = now
        stamp = self._models.stamp()
        if stamp == self._seen:
            return
        # A choice that fails is not tried again and again: the next one is.
        self._seen = stamp
        try:
            name = self._models.choice().name
            if name == self._chosen:
                return
            model = self._load(self._models.place(name))
        except Exception as error:  # Whatever it is: no batch may be lost by it.
            self._tell(f"the newly chosen model cannot be used, {self.name} goes on: {_why(error)}")
            return
        before, self._chosen, self._model = self.name, name, model
        self._tell(f"{model.name} judges from now on, in the place of {before}")


def _why(error: Exception) -> str:
    said = str(error) if isinstance(error, HeardError) else f"{type(error).__name__} {error}"
    return " ".join(said.split())
