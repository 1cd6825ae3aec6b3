"""A stand-in for the bundled model: judges by words that stand in the text, the same in every process."""

from collections.abc import Collection, Mapping, Sequence

from casework.classification import Classification, Intent, Sentiment, Urgency
from tests.fakes import embedding
from tests.fakes.cases import judged

BY_WORD: Mapping[str, Classification] = {
    "thank": judged(Urgency.LOW, Intent.PRAISE, Sentiment.POSITIVE),
    "refund": judged(Urgency.NORMAL, Intent.QUESTION, Sentiment.NEUTRAL),
    "leave me alone": judged(Urgency.NORMAL, Intent.OTHER, topics=("opt-out",)),
    "lawyer": judged(Urgency.CRITICAL, Intent.COMPLAINT, topics=("legal",)),
    "cancelled": judged(Urgency.HIGH, Intent.COMPLAINT, topics=("cancellation",)),
    "lost": judged(Urgency.HIGH, Intent.COMPLAINT),
}
OTHERWISE = judged(Urgency.NORMAL, Intent.OTHER, Sentiment.NEUTRAL)


class LookUpModel:
    """Finds the first known word in each text."""

    name = "look-up"

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        """One judgement a text; the brand's own topics are not looked for."""
        return [_look_up(text.casefold()) for text in texts]

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """Vectors of letter groups."""
        return embedding.embed(texts)


def _look_up(text: str) -> Classification:
    return next((verdict for word, verdict in BY_WORD.items() if word in text), OTHERWISE)
