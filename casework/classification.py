"""What the model believes about one mention: three labels, how sure, and which topics its words touch.

Labels follow the labelling guide that the bundled model was trained on. They are a closed set: text
can never add to it, so nothing that a stranger writes can become an instruction (T1).
"""

from dataclasses import dataclass
from enum import StrEnum


class Sentiment(StrEnum):
    """The author's feeling as expressed in the post; sarcasm counts as what is meant."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Intent(StrEnum):
    """What the author wants of the brand."""

    CHURN = "churn"
    BUG = "bug"
    QUESTION = "question"
    COMPLAINT = "complaint"
    SUGGESTION = "suggestion"
    PURCHASE = "purchase"
    PRAISE = "praise"
    OTHER = "other"


class Urgency(StrEnum):
    """How soon a good brand would answer. ``low`` means that no reply is needed."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class Topic(StrEnum):
    """Matters that reviewed word rules find whatever the model says; they only ever escalate or stop (T2)."""

    SAFETY = "safety"
    LEGAL = "legal"
    PRESS = "press"
    SELF_HARM = "self-harm"
    THREAT = "threat"
    DATA_BREACH = "data-breach"
    GRIEF = "grief"
    OPT_OUT = "opt-out"
    SPAM = "spam"


class Doubt(StrEnum):
    """Why a judgement is not to be acted on: a head below its threshold, the language, or what the post does.

    ``orders`` is of a post that speaks to the machine which reads it, as if it took orders.
    """

    SENTIMENT = "sentiment"
    INTENT = "intent"
    URGENCY = "urgency"
    LANGUAGE = "language"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class Confidence:
    """The probability, 0 to 1, that the model gives to each label it chose."""

    sentiment: float
    intent: float
    urgency: float


@dataclass(frozen=True, slots=True)
class Classification:
    """Sentiment, intent and urgency of one mention, how sure, and where they came from.

    ``topics`` holds values of `Topic` and the brand's own topic names. ``model`` names the weights
    that judged, so that a correction can be traced. ``truncated`` says that the text was longer than
    the model reads and only its beginning was judged. ``doubts`` is what the model is not sure of: no
    rule that stands on it acts without a person.
    """

    sentiment: Sentiment
    intent: Intent
    urgency: Urgency
    confidence: Confidence
    topics: tuple[str, ...] = ()
    language: str = "en"
    model: str = ""
    truncated: bool = False
    doubts: tuple[Doubt, ...] = ()

    @property
    def labels(self) -> str:
        """The three labels as the timeline says them; `casework.feedback` reads them from there."""
        return f"{self.sentiment}, {self.intent}, {self.urgency}"

    @property
    def needs_reply(self) -> bool:
        """Whether a good brand would answer: any urgency above ``low``."""
        return self.urgency is not Urgency.LOW
