"""The brand's rules: which case is ignored, acknowledged, drafted or escalated. First match wins."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from casework.case import Case
from casework.classification import Classification, Doubt, Intent, Sentiment, Urgency


class Action(StrEnum):
    """What a rule does with a case."""

    IGNORE = "ignore"
    ACKNOWLEDGE = "acknowledge"
    DRAFT = "draft"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class When:
    """What a rule matches. Each filled field must match; an empty one matches everything."""

    topics: frozenset[str] = frozenset()
    intents: frozenset[Intent] = frozenset()
    urgencies: frozenset[Urgency] = frozenset()
    sentiments: frozenset[Sentiment] = frozenset()
    platforms: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    addressed: bool | None = None
    confidence: float | None = None
    below: float | None = None

    def matches(self, case: Case, judged: Classification) -> bool:
        """Whether the case, as judged, is one that the rule is for.

        ``confidence`` asks that the least sure of intent and urgency is at least that sure, ``below``
        that it is less sure.
        """
        sure = min(judged.confidence.intent, judged.confidence.urgency)
        return (
            (not self.topics or bool(self.topics & set(judged.topics)))
            and (not self.intents or judged.intent in self.intents)
            and (not self.urgencies or judged.urgency in self.urgencies)
            and (not self.sentiments or judged.sentiment in self.sentiments)
            and (not self.platforms or case.platform in self.platforms)
            and (not self.languages or judged.language in self.languages)
            and (self.addressed is None or case.last.addressed == self.addressed)
            and (self.confidence is None or sure >= self.confidence)
            and (self.below is None or sure < self.below)
        )

    def doubted(self, judged: Classification) -> tuple[Doubt, ...]:
        """What the model is not sure of among that which the match stands on.

        A rule that asks for a topic alone stands on words, which do not guess; for any other a language
        that the model does not read, or a post that speaks to the machine, puts everything in doubt.
        """
        asked = {
            Doubt.INTENT: self.intents,
            Doubt.URGENCY: self.urgencies,
            Doubt.SENTIMENT: self.sentiments,
        }
        stands_on = {doubt for doubt, wanted in asked.items() if wanted}
        if stands_on or not self.topics:
            stands_on |= {Doubt.LANGUAGE, Doubt.ORDERS}
        return tuple(doubt for doubt in judged.doubts if doubt in stands_on)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the brand's policy. ``template`` names reviewed wording; ``to`` who it is escalated to."""

    id: str
    do: Action
    when: When = When()
    template: str | None = None
    to: str | None = None
    approvers: int = 1


CATCH_ALL = Rule(id="everything else", do=Action.DRAFT)
"""What happens to a case that no rule of the brand matches: a person decides."""


def decide(rules: Sequence[Rule], case: Case) -> Rule:
    """The first rule that matches the case; `CATCH_ALL` when none does.

    Raises:
        ValueError: the case was not judged yet.
    """
    judged = case.classification
    if judged is None:
        raise ValueError(f"{case.id} is not classified")
    return next((rule for rule in rules if rule.when.matches(case, judged)), CATCH_ALL)
