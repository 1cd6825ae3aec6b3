"""The word rules find what a person must see, and stay silent on what only sounds like it."""

import time

import pytest

from casework.classification import Topic, Urgency
from classifier.text import readable
from classifier.topics import CRITICAL, raised_urgency, topics_in

FOUND = [
    (Topic.SAFETY, "There is smoke in the cabin and nobody tells us anything"),
    (Topic.SAFETY, "My son was injured by your scooter"),
    (Topic.SAFETY, "your charger almost caught fire next to my bed"),
    (Topic.SAFETY, "got food poisoning from the chicken wrap"),
    (Topic.SAFETY, "found glass in my salad"),
    (Topic.SAFETY, "I am 12 and bought this with mum's card"),
    (Topic.SAFETY, "your driver assaulted me"),
    (Topic.SAFETY, "Mein Sohn wurde verletzt, der Akku brennt"),
    (Topic.SAFETY, "il y a de la fumée dans la cabine"),
    (Topic.LEGAL, "I'm going to sue"),
    (Topic.LEGAL, "You will hear from my lawyer."),
    (Topic.LEGAL, "see you in court"),
    (Topic.LEGAL, "we're considering legal action against you"),
    (Topic.LEGAL, "Who can I speak to regarding a legal claim involving your company?"),
    (Topic.LEGAL, "Mein Anwalt wird sich melden"),
    (Topic.LEGAL, "Jeg snakker med min advokat nå"),
    (Topic.LEGAL, "Je vais porter plainte contre vous"),
    (Topic.LEGAL, "Voy a demandarlos, ya hablé con mi abogado"),
    (Topic.PRESS, "I'm a journalist at the Example Times writing a piece on your outage"),
    (Topic.PRESS, "who handles press inquiries?"),
    (Topic.PRESS, "Ich bin Journalistin und habe eine Presseanfrage"),
    (Topic.SELF_HARM, "I can't go on, I want to end it all"),
    (Topic.SELF_HARM, "because of you i want to kill myself"),
    (Topic.SELF_HARM, "ich will nicht mehr leben"),
    (Topic.THREAT, "I will kill you all"),
    (Topic.THREAT, "I know where you live"),
    (Topic.THREAT, "there is a bomb in your store"),
    (Topic.THREAT, "ich bringe euch um"),
    (Topic.THREAT, "Je vais vous tuer"),
    (Topic.DATA_BREACH, "Is this the data breach from last year again?"),
    (Topic.DATA_BREACH, "I can see other people's bookings in my account"),
    (Topic.DATA_BREACH, "your app logged me into someone else's account"),
    (Topic.DATA_BREACH, "you exposed my address to the whole world"),
    (Topic.DATA_BREACH, "Ich sehe Daten anderer Kunden"),
    (Topic.GRIEF, "My mother passed away and I need to close her account"),
    (Topic.GRIEF, "my dad died last week, please cancel his flight"),
    (Topic.GRIEF, "we have to travel to a funeral"),
    (Topic.GRIEF, "Meine Mutter ist gestern gestorben"),
    (Topic.GRIEF, "mon père est décédé"),
    (Topic.OPT_OUT, "stop replying to me"),
    (Topic.OPT_OUT, "@brand don't contact me"),
    (Topic.OPT_OUT, "@support Do not ever message me again"),
    (Topic.OPT_OUT, "please unsubscribe me"),
    (Topic.OPT_OUT, "@brand stop"),
    (Topic.OPT_OUT, "Leave me alone, bot"),
    (Topic.OPT_OUT, "Bitte kontaktieren Sie mich nicht mehr"),
    (Topic.OPT_OUT, "Lasst mich in Ruhe!"),
    (Topic.OPT_OUT, "Ikke kontakt meg igjen"),
    (Topic.OPT_OUT, "Slutt å svare meg"),
    (Topic.OPT_OUT, "La meg være i fred"),
    (Topic.OPT_OUT, "Arrêtez de me répondre"),
    (Topic.OPT_OUT, "Ne me contactez plus"),
    (Topic.OPT_OUT, "Laissez-moi tranquille"),
    (Topic.OPT_OUT, "Dejen de responderme"),
    (Topic.OPT_OUT, "No me contacten más"),
    (Topic.SPAM, "Get 10000 free followers, click link in my bio"),
]

NOT_FOUND = [
    (Topic.THREAT, "this fare is a killer deal"),
    (Topic.THREAT, "would it kill you to answer the phone?"),
    (Topic.THREAT, "I'll shoot you a message tomorrow"),
    (Topic.THREAT, "this lag is going to kill me"),
    (Topic.THREAT, "your new album is the bomb"),
    (Topic.SAFETY, "your sale is on fire, love it"),
    (Topic.SAFETY, "put him on the injured list for my fantasy team"),
    (Topic.SAFETY, "this burger is fire"),
    (Topic.SAFETY, "the cabin crew was lovely"),
    (Topic.SAFETY, "I'm 12 and 0 in ranked tonight"),
    (Topic.LEGAL, "just watched The Lincoln Lawyer on your app"),
    (Topic.LEGAL, "Sue from your support team was great"),
    (Topic.LEGAL, "Un toast à l'avocat, merci"),
    (Topic.PRESS, "press the button twice and it restarts"),
    (Topic.PRESS, "I read an article about your new phone"),
    (Topic.SELF_HARM, "Suicide Squad is finally on your platform"),
    (Topic.SELF_HARM, "nearly killed myself laughing"),
    (Topic.SELF_HARM, "my battery wants a new life"),
    (Topic.DATA_BREACH, "my mobile data is slow today"),
    (Topic.DATA_BREACH, "I can't see my booking"),
    (Topic.GRIEF, "my phone passed away this morning"),
    (Topic.GRIEF, "my battery died after an hour"),
    (Topic.OPT_OUT, "why do you never contact me?"),
    (Topic.OPT_OUT, "you guys don't reply to me, it's been a week"),
    (Topic.OPT_OUT, "stop ignoring me"),
    (Topic.OPT_OUT, "how do I stop the video from autoplaying?"),
    (Topic.OPT_OUT, "Warum antwortet ihr mir nicht?"),
    (Topic.OPT_OUT, "Vous ne me répondez pas depuis une semaine"),
    (Topic.OPT_OUT, "¿Por qué no me responden?"),
    (Topic.OPT_OUT, "Hvorfor svarer dere ikke meg?"),
    (Topic.SPAM, "how many followers do I need for a badge?"),
]


@pytest.mark.parametrize(("topic", "text"), FOUND)
def test_a_post_that_touches_the_matter_is_found(topic: Topic, text: str) -> None:
    """The words call for the topic, whatever their case, accents or apostrophes."""
    assert topic in topics_in(readable(text), {})
    assert topic in topics_in(readable(text.upper().replace("'", "’")), {})


@pytest.mark.parametrize(("topic", "text"), NOT_FOUND)
def test_a_post_that_only_sounds_like_it_is_passed_over(topic: Topic, text: str) -> None:
    """A killer deal is no threat."""
    assert topic not in topics_in(readable(text), {})


def test_hidden_characters_do_not_hide_a_threat() -> None:
    """A zero-width character inside a word, or letters of another width, change nothing for the rules."""
    assert Topic.THREAT in topics_in(readable("I will k\u200bill you"), {})
    assert Topic.LEGAL in topics_in(readable("\uff4d\uff59 \uff4c\uff41\uff57\uff59\uff45\uff52"), {})


def test_a_brands_own_topics_are_whole_words_and_never_patterns() -> None:
    """A dot in a product's name is a dot, and a word inside another word is not that word."""
    own = {"fares": ["fare", "lowest price"], "app": ["app 2.0"]}
    assert topics_in("The FARE went up", own) == ("fares",)
    assert topics_in("the lowest  price ever in App 2.0", own) == ("fares", "app")
    assert topics_in("farewell, and app 2x0", own) == ()
    assert topics_in("anything", {"empty": [], "blank": [" "]}) == ()


def test_the_rules_only_ever_raise_urgency() -> None:
    """Six topics need a person now; the others leave the urgency alone, and none lowers it."""
    for topic in Topic:
        for urgency in Urgency:
            raised = raised_urgency(urgency, [topic])
            assert raised is (Urgency.CRITICAL if topic in CRITICAL else urgency)


ALMOST = ["a ", "stop ", "don't ", "i'll kill ", "my phone ", "!", "lost my ", "in the hospital "]


@pytest.mark.parametrize("unit", ALMOST)
def test_a_long_post_is_read_in_time_proportional_to_its_length(unit: str) -> None:
    """Forty thousand characters of almost-matches take a moment, not minutes."""
    started = time.perf_counter()
    topics_in(unit * (40_000 // len(unit)), {})
    assert time.perf_counter() - started < 2.0
