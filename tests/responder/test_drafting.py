"""Drafts and acknowledgements are made of reviewed texts alone, or a sentence says why there is none."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from casework.case import Case
from casework.classification import Classification, Intent, Sentiment, Topic, Urgency
from casework.draft import Draft, ReplyKind, Source
from casework.mention import Author
from casework.reply import Outgoing
from platforms.lengths import measure
from responder.drafting import NothingFits, acknowledgement, compose
from responder.guard import objections
from responder.knowledge import Article, KnowledgeBase
from responder.policy import CATCH_ALL, Action, Rule
from responder.wording import Template, Wording
from tests.fakes.cases import NOON, a_mention, classified, judged
from tests.fakes.embedding import embed

HOSTILE = Path("/work/shared/data/naughty/own/hostile.jsonl")
DAY = date(2026, 11, 3)
BAGS = Article(
    id="KB-15",
    title="Bag delayed",
    questions=("My bag did not arrive", "Where is my lost suitcase?", "My bag is lost!"),
    replies={"en": "Most bags arrive within 48 hours.", "nb": "De fleste kommer innen 48 timer."},
)
PETS = Article(
    id="KB-04",
    title="Cats and dogs",
    questions=("Can my cat travel in the cabin?", "How do I book my dog?"),
    replies={"en": "Small pets may travel in the cabin."},
)
ARTICLES = KnowledgeBase((BAGS, PETS), embed)
WORDING = Wording(
    (
        Template("thanks", ReplyKind.ANSWER, "en", "Thank you, {first_name}! We will tell the team."),
        Template("thanks", ReplyKind.ANSWER, "nb", "Tusen takk, {first_name}!"),
        Template("hours", ReplyKind.ANSWER, "en", "We are here {desk_hours}."),
        Template("ack", ReplyKind.ACKNOWLEDGEMENT, "en", "Hi {first_name}, seen. ({disclosure}, {case})"),
        Template("ack", ReplyKind.ACKNOWLEDGEMENT, "nb", "Hei {first_name}, sett. ({disclosure}, {case})"),
    ),
    {"en": "Automatic message", "nb": "Automatisk melding"},
)
THANKS = Rule(id="praise", do=Action.DRAFT, template="thanks")


def a_case(
    text: str = "My bag did not arrive",
    *,
    judgement: Classification | None = None,
    language: str = "en",
    **changes: object,
) -> Case:
    judgement = replace(judgement or judged(intent=Intent.QUESTION), language=language)
    case = replace(classified(judgement), mentions=(a_mention(text=text),))
    return replace(case, **changes)  # type: ignore[arg-type]  # each caller names real fields


def composed(case: Case, rule: Rule = CATCH_ALL, desk_hours: str = "") -> Draft | NothingFits:
    return compose(
        case,
        rule=rule,
        articles=ARTICLES,
        wording=WORDING,
        brand="Aurora Air",
        today=DAY,
        draft_id="d-1",
        desk_hours=desk_hours,
    )


def drafted(case: Case, rule: Rule = CATCH_ALL) -> Draft:
    draft = composed(case, rule)
    assert isinstance(draft, Draft), draft
    return draft


def why_not(case: Case, rule: Rule = CATCH_ALL) -> str:
    nothing = composed(case, rule)
    assert isinstance(nothing, NothingFits), nothing
    return nothing.why


def acknowledged(case: Case, template_id: str = "ack") -> Outgoing | NothingFits:
    return acknowledgement(case, template_id=template_id, wording=WORDING, brand="Aurora Air", at=NOON)


def test_a_question_gets_the_articles_reply_with_a_greeting_and_cites_it() -> None:
    """The draft says where it comes from and which mention it answers."""
    case = a_case()
    assert drafted(case) == Draft(
        id="d-1",
        text="Hi Maya! Most bags arrive within 48 hours.",
        answers=case.last.key,
        language="en",
        sources=(Source("KB-15", "Bag delayed"),),
    )


def test_a_norwegian_gets_norwegian() -> None:
    """The language of the text decides, however Norwegian is coded."""
    for language in ("nb", "no", "nn"):
        draft = drafted(a_case(language=language))
        assert (draft.text, draft.language) == ("Hei Maya! De fleste kommer innen 48 timer.", "nb")


def test_nobody_gets_a_language_that_the_article_lacks() -> None:
    """A person writes to the German; English is not good enough."""
    assert why_not(a_case(language="de")) == "nothing in the knowledge base answers this"
    assert why_not(a_case("How do I book my dog?", language="nb")).startswith("nothing in the knowledge base")


def test_a_greeting_that_would_make_it_too_long_is_left_out() -> None:
    """The answer matters more than the name."""
    long = replace(BAGS, replies={"en": "a" * 275})
    case = a_case()
    draft = compose(
        case,
        rule=CATCH_ALL,
        articles=KnowledgeBase((long, PETS), embed),
        wording=WORDING,
        brand="Aurora Air",
        today=DAY,
        draft_id="d-1",
    )
    assert isinstance(draft, Draft)
    assert draft.text == "a" * 275


def test_an_answer_that_does_not_fit_the_platform_is_not_proposed() -> None:
    """The sentence says which article would do and what is wrong."""
    long = replace(BAGS, replies={"en": "a" * 281})
    nothing = compose(
        a_case(),
        rule=CATCH_ALL,
        articles=KnowledgeBase((long, PETS), embed),
        wording=WORDING,
        brand="Aurora Air",
        today=DAY,
        draft_id="d-1",
    )
    assert isinstance(nothing, NothingFits)
    assert "KB-15 would do" in nothing.why
    assert "too long" in nothing.why


def test_a_rule_that_names_a_template_gets_it() -> None:
    """Reviewed wording comes before the knowledge base."""
    draft = drafted(a_case("You are great", judgement=judged(intent=Intent.PRAISE)), THANKS)
    assert draft.text == "Thank you, Maya! We will tell the team."
    assert draft.sources == (Source("thanks", "thanks"),)


def test_a_template_that_the_language_lacks_is_held_for_a_person() -> None:
    """The reason names the template and the language."""
    assert why_not(a_case(language="de"), THANKS) == "there is no answer thanks in de"


def test_a_template_with_a_hole_is_not_proposed() -> None:
    """Opening hours that nobody told are not left blank in public."""
    rule = Rule(id="hours", do=Action.DRAFT, template="hours")
    assert "desk_hours" in why_not(a_case(), rule)
    filled = composed(a_case(), rule, desk_hours="08:00-22:00")
    assert isinstance(filled, Draft)
    assert filled.text == "We are here 08:00-22:00."


def test_an_acknowledging_rules_template_is_not_the_answer() -> None:
    """The answer that still waits for a person comes from the knowledge base."""
    rule = Rule(id="disruption", do=Action.ACKNOWLEDGE, template="ack")
    assert drafted(a_case(), rule).sources[0].id == "KB-15"


def test_what_nothing_answers_is_said_in_a_sentence() -> None:
    """A person reads why there is no draft."""
    assert why_not(a_case("Who made your film?")) == "nothing in the knowledge base answers this"
    assert "praise" in why_not(a_case(judgement=judged(intent=Intent.PRAISE)))


def test_a_follow_up_without_a_question_of_its_own_gets_the_open_ones_answer() -> None:
    """A mere "still waiting!" asks what the customer asked before, unless that was answered."""
    follow_up = a_mention(2, text="hello?? still waiting")
    case = a_case()
    case = replace(case, mentions=(*case.mentions, follow_up))
    draft = drafted(case)
    assert (draft.answers, draft.sources[0].id) == (follow_up.key, "KB-15")


def test_a_rejected_article_is_not_proposed_again_and_another_is() -> None:
    """The reason given for the rejection is repeated to the next reader."""
    rejected = a_case(rejections=("wrong facts",))
    assert why_not(rejected) == "KB-15 was rejected in this case: wrong facts"
    again = replace(rejected, mentions=(*rejected.mentions, a_mention(2, text="My bag is lost!")))
    assert "wrong facts" in why_not(again)
    other = replace(rejected, mentions=(*rejected.mentions, a_mention(2, text="How do I book my dog?")))
    assert drafted(other).sources[0].id == "KB-04"


def test_a_rejected_template_is_not_proposed_again() -> None:
    """The same rule does not bring the same words back."""
    assert "thanks was rejected" in why_not(a_case(rejections=("tone",), rule="praise"), THANKS)


@pytest.mark.parametrize("topic", [Topic.SELF_HARM, Topic.GRIEF, Topic.THREAT, Topic.OPT_OUT])
def test_no_text_from_the_shelf_is_proposed_in_grave_matters(topic: Topic) -> None:
    """Only a person finds the words."""
    case = a_case(judgement=judged(intent=Intent.QUESTION, topics=(topic,)))
    assert topic in why_not(case)
    assert topic in why_not(case, THANKS)


def test_a_case_nobody_judged_is_an_error() -> None:
    """A draft needs the language and the matter."""
    with pytest.raises(ValueError, match="not classified"):
        composed(a_case(classification=None))


def test_an_acknowledgement_says_that_it_is_automatic_and_for_which_case() -> None:
    """The disclosure and the case are in the text, and its key is the same however often it is made."""
    case = a_case()
    outgoing = acknowledged(case)
    assert isinstance(outgoing, Outgoing)
    assert outgoing.text == "Hi Maya, seen. (Automatic message, C-100)"
    assert outgoing.key == f"{case.id}:ack:{case.last.key}"
    assert (outgoing.automatic, outgoing.decided_by, outgoing.kind) == (True, "heard", "acknowledgement")
    assert outgoing.answers == case.last.key
    assert acknowledged(case) == outgoing


def test_two_customers_never_get_the_same_bytes() -> None:
    """X refuses duplicate text, so that a refusal can only mean that ours arrived."""
    one, other = acknowledged(a_case()), acknowledged(a_case(id="C-101"))
    assert isinstance(one, Outgoing)
    assert isinstance(other, Outgoing)
    assert one.text != other.text


def test_an_acknowledgement_that_the_brand_has_not_reviewed_is_not_made() -> None:
    """An unknown template, one in another language, or an answer in its place: nothing goes out."""
    assert isinstance(acknowledged(a_case(), "nonsense"), NothingFits)
    assert isinstance(acknowledged(a_case(language="de")), NothingFits)
    assert isinstance(acknowledged(a_case(), "thanks"), NothingFits)


@pytest.mark.parametrize("platform", ["x", "bluesky", "mastodon", "reddit"])
def test_hostile_posts_and_names_do_not_change_a_letter_of_what_goes_out(platform: str) -> None:
    """Whatever the post or the name says, the text is that for the same labels without it (T1)."""
    if not HOSTILE.exists():
        pytest.skip("the hostile set is not on this machine")
    plain = acknowledged(a_case())
    assert isinstance(plain, Outgoing)
    for line in HOSTILE.read_text(encoding="utf-8").splitlines():
        text = str(json.loads(line)["text"])
        nobody = Author("maya", "maya", name=text[:200])
        hostile = a_mention(text=text, author=nobody, platform=platform)
        outgoing = acknowledged(replace(a_case(), platform=platform, mentions=(hostile,)))
        assert isinstance(outgoing, Outgoing)
        greeted = outgoing.text.removeprefix("Hi").partition(",")[0].strip()
        assert greeted == "" or (greeted.isalpha() and nobody.first_name == greeted)
        assert outgoing.text.partition(",")[2] == plain.text.partition(",")[2]
        assert measure(platform, outgoing.text).fits
        known = (outgoing.text if not greeted else "C-100", "C-100")
        assert objections(outgoing.text, platform=platform, allowed=known) == ()


def test_not_after_is_kept() -> None:
    """An acknowledgement that would be late goes back to a person."""
    late = datetime(2026, 11, 3, 13, tzinfo=UTC)
    outgoing = acknowledgement(
        a_case(), template_id="ack", wording=WORDING, brand="Aurora Air", at=NOON, not_after=late
    )
    assert isinstance(outgoing, Outgoing)
    assert outgoing.not_after == late


def test_the_sentiment_does_not_choose_the_words() -> None:
    """Two customers who ask the same get the same answer."""
    angry = judged(Urgency.HIGH, Intent.QUESTION, Sentiment.NEGATIVE)
    glad = judged(Urgency.NORMAL, Intent.QUESTION, Sentiment.POSITIVE)
    assert drafted(a_case(judgement=angry)).text == drafted(a_case(judgement=glad)).text
