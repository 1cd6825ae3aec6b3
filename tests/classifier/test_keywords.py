"""The list of words: sensible on plain posts, so that beating it means something."""

import time

import pytest

from casework.classification import Intent, Sentiment, Urgency
from classifier.keywords import intent_by_words, sentiment_by_words, urgency_by_words


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("I love the new app, thanks!", Sentiment.POSITIVE),
        ("This isn't good", Sentiment.NEGATIVE),
        ("Worst service ever, so disappointed", Sentiment.NEGATIVE),
        ("Never disappointed by you", Sentiment.POSITIVE),
        ("Love it but it is broken", Sentiment.NEUTRAL),
        ("The event is on Monday", Sentiment.NEUTRAL),
        ("so cute :smiling_face_with_smiling_eyes:", Sentiment.POSITIVE),
        ("clover likewise badge", Sentiment.NEUTRAL),
    ],
)
def test_words_tell_the_feeling(text: str, mood: Sentiment) -> None:
    assert sentiment_by_words(text) is mood


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("I’m done with you, cancelling my subscription", Intent.CHURN),
        ("@support the app keeps crashing and won’t load", Intent.BUG),
        ("How do I change my seat?", Intent.QUESTION),
        ("@support please help, my account was hacked", Intent.QUESTION),
        ("Your staff are rude and the coffee is overpriced", Intent.COMPLAINT),
        ("You should really add a dark mode", Intent.SUGGESTION),
        ("Just ordered the new one", Intent.PURCHASE),
        ("You are the best, kudos to the team", Intent.PRAISE),
        ("Shares rose 3 % on Tuesday", Intent.OTHER),
    ],
)
def test_words_tell_the_intent(text: str, intent: Intent) -> None:
    assert intent_by_words(text) is intent


@pytest.mark.parametrize(
    ("text", "urgency"),
    [
        ("@support I’m locked out and can’t access my account", Urgency.HIGH),
        ("Hackers in a film, how fun", Urgency.LOW),
        ("How do I change my seat?", Urgency.NORMAL),
        ("Thank you!", Urgency.LOW),
    ],
)
def test_words_tell_the_urgency(text: str, urgency: Urgency) -> None:
    assert urgency_by_words(text) is urgency


@pytest.mark.parametrize("piece", ["not ", "a", "paid ", "lost my ", "heart_", "can't ", "cancel the "])
def test_no_post_keeps_the_words_busy(piece: str) -> None:
    """Forty thousand letters take well under a second."""
    started = time.perf_counter()
    text = (piece * 40_000)[:40_000]
    sentiment_by_words(text)
    urgency_by_words(text)
    assert time.perf_counter() - started < 1
