"""The brand's rules decide in their order, and something always decides."""

from dataclasses import replace

import pytest

from casework.classification import Classification, Confidence, Doubt, Intent, Sentiment, Urgency
from responder.policy import CATCH_ALL, Action, Rule, When, decide
from tests.fakes.cases import a_mention, classified, heard, judged

COMPLAINT = judged(topics=("refund",))


def a_rule(rule_id: str, when: When | None = None, do: Action = Action.DRAFT) -> Rule:
    return Rule(id=rule_id, do=do, when=when or When())


def test_the_first_rule_that_matches_wins() -> None:
    """Order is the brand's; a later rule that also matches does not count."""
    rules = (
        a_rule("praise", When(intents=frozenset({Intent.PRAISE}))),
        a_rule("refunds", When(topics=frozenset({"refund"})), Action.ESCALATE),
        a_rule("complaints", When(intents=frozenset({Intent.COMPLAINT})), Action.IGNORE),
    )
    assert decide(rules, classified(COMPLAINT)).id == "refunds"


def test_what_no_rule_matches_is_drafted_for_a_person() -> None:
    """The catch-all never sends anything by itself and never ignores."""
    rules = (a_rule("praise", When(intents=frozenset({Intent.PRAISE}))),)
    assert decide(rules, classified(COMPLAINT)) is CATCH_ALL
    assert decide((), classified(COMPLAINT)).do is Action.DRAFT


def test_an_empty_filter_matches_everything() -> None:
    """A rule without conditions is for every case."""
    assert decide((a_rule("all"),), classified(COMPLAINT)).id == "all"


def test_a_case_that_nobody_judged_is_an_error() -> None:
    """No rule guesses what the model has not said."""
    with pytest.raises(ValueError, match="not classified"):
        decide((), heard())


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        (When(topics=frozenset({"refund", "hotel"})), True),
        (When(topics=frozenset({"hotel"})), False),
        (When(intents=frozenset({Intent.COMPLAINT})), True),
        (When(intents=frozenset({Intent.BUG})), False),
        (When(urgencies=frozenset({Urgency.HIGH})), True),
        (When(urgencies=frozenset({Urgency.LOW})), False),
        (When(sentiments=frozenset({Sentiment.NEGATIVE})), True),
        (When(sentiments=frozenset({Sentiment.POSITIVE})), False),
        (When(platforms=frozenset({"x"})), True),
        (When(platforms=frozenset({"reddit"})), False),
        (When(languages=frozenset({"en"})), True),
        (When(languages=frozenset({"nb"})), False),
        (When(addressed=True), True),
        (When(addressed=False), False),
    ],
)
def test_each_filter_lets_through_what_it_names_and_nothing_else(when: When, matches: bool) -> None:
    """Every filter matches the case it names and no other."""
    case = classified(COMPLAINT)
    assert case.classification is not None
    assert when.matches(case, case.classification) is matches


def test_every_filled_filter_must_match() -> None:
    """Filters add up: one that fails is enough for the rule to pass."""
    case = classified(COMPLAINT)
    assert case.classification is not None
    both = When(topics=frozenset({"refund"}), intents=frozenset({Intent.BUG}))
    assert not both.matches(case, case.classification)


def test_addressed_looks_at_the_last_mention() -> None:
    """What counts is whether the customer's last words were meant for us."""
    case = classified(COMPLAINT)
    follow_up = replace(case, mentions=(*case.mentions, a_mention(2, addressed=False)))
    assert case.classification is not None
    assert When(addressed=False).matches(follow_up, case.classification)


@pytest.mark.parametrize(
    ("intent", "urgency", "at_least", "below"),
    [(0.9, 0.9, True, False), (0.89, 0.99, False, True), (0.99, 0.89, False, True)],
)
def test_confidence_is_that_of_the_less_sure_of_intent_and_urgency(
    intent: float, urgency: float, at_least: bool, below: bool
) -> None:
    """One unsure label makes the whole judgement unsure; how sure the feeling is does not matter here."""
    judgement = Classification(
        Sentiment.NEGATIVE, Intent.COMPLAINT, Urgency.HIGH, Confidence(0.1, intent, urgency)
    )
    case = classified(judgement)
    assert When(confidence=0.9).matches(case, judgement) is at_least
    assert When(below=0.9).matches(case, judgement) is below


INTENT = When(intents=frozenset({Intent.COMPLAINT}))
HASTE = When(urgencies=frozenset({Urgency.LOW}))
MOOD = When(sentiments=frozenset({Sentiment.NEGATIVE}))
WORDS = When(topics=frozenset({"spam"}))


@pytest.mark.parametrize(
    ("when", "doubt", "touched"),
    [
        (INTENT, Doubt.INTENT, True),
        (INTENT, Doubt.URGENCY, False),
        (HASTE, Doubt.URGENCY, True),
        (HASTE, Doubt.INTENT, False),
        (MOOD, Doubt.SENTIMENT, True),
        (WORDS, Doubt.INTENT, False),
        (INTENT, Doubt.LANGUAGE, True),
        (When(), Doubt.LANGUAGE, True),
        (WORDS, Doubt.LANGUAGE, False),
        (INTENT, Doubt.ORDERS, True),
        (When(), Doubt.ORDERS, True),
        (WORDS, Doubt.ORDERS, False),
    ],
)
def test_a_doubt_touches_the_rules_that_stand_on_it(when: When, doubt: Doubt, touched: bool) -> None:
    """A rule that asks for words stands on words, whatever the model says of itself."""
    assert (when.doubted(replace(COMPLAINT, doubts=(doubt,))) == (doubt,)) is touched
