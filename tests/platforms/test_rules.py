"""Who may be answered, and what may go out alone, by each platform's rules."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from casework.case import Case
from casework.classification import Classification, Confidence, Intent, Sentiment, Topic, Urgency
from casework.draft import ReplyKind
from casework.mention import Author, Mention
from casework.reply import Outgoing, Permission, Reply, Way
from platforms import rules_page
from platforms.rules import (
    DOUBTS,
    LINES,
    RULES,
    SETTINGS,
    TABLE,
    Action,
    Automatic,
    Objection,
    ReplyMode,
    Rule,
    Situation,
    Terms,
    may,
    place,
    said,
)
from tests.fakes.cases import NOON, a_mention, classified, judged

REPOSITORY = Path(__file__).parents[2]
THE_RULES = REPOSITORY.parent / "shared" / "RULES.md"
ON = Terms(labelled=True, automatic=Automatic(enabled=True))
APPROVED = Terms(approval="case 0417", allowed_places=frozenset({"Travel"}))


def a_reply(
    *, automatic: bool, answers: str = "x:post-0", kind: ReplyKind = ReplyKind.ACKNOWLEDGEMENT
) -> Reply:
    return Reply(
        key="k",
        kind=kind,
        id="1",
        text="",
        answers=answers,
        decided_by="heard",
        posted_at=NOON,
        automatic=automatic,
    )


def permission(mention: Mention, terms: Terms) -> Permission:
    """Whether a person's reply to the mention may be posted."""
    return may(Situation(mention, terms), Action.REPLY)


def acknowledging(case: Case, terms: Terms = ON) -> Permission:
    """Whether Heard may acknowledge the case's last mention by itself."""
    return may(Situation.of(case, case.last, terms), Action.ACKNOWLEDGE)


# ── the table ────────────────────────────────────────────────────────────────────────────────────


def test_the_table_has_every_rule_of_every_platform() -> None:
    """X1-X15, R1-R5, B1-B5 and Mastodon's rules are there, each a sentence with its source."""
    numbers = {
        *(f"X{n}" for n in range(1, 16)),
        *(f"R{n}" for n in range(1, 6)),
        *(f"B{n}" for n in range(1, 6)),
        *(f"M{n}" for n in range(1, 5)),
        *("T1", "T2", "T3", "T9", "T11", "T15"),
    }
    assert numbers <= set(RULES)
    for rule in TABLE:
        assert RULES[rule.number].number == rule.number
        assert rule.sentence.endswith(".")
        assert rule.source


@pytest.mark.skipif(not THE_RULES.exists(), reason="the research is not here")
def test_the_table_has_every_rule_that_the_research_has() -> None:
    """Each numbered line of its chapters on X, Reddit and Bluesky, and what it says of Mastodon in prose."""
    text = THE_RULES.read_text()
    chapter = text[text.index("### 1.1 ") : text.index("### 1.5 ")]
    numbers = set(re.findall(r"^\| ([A-Z]\d+) \|", chapter, re.MULTILINE))

    assert len(numbers) > 20
    assert numbers <= set(RULES)
    assert {RULES[number].platform for number in numbers} == {"x", "reddit", "bluesky"}


def test_every_rule_is_kept_somewhere() -> None:
    """By `may`, or by a place in the code that the table names."""
    assert [rule.number for rule in TABLE if not rule.evaluated and not rule.kept_by] == []


@pytest.mark.parametrize("rule", [rule for rule in TABLE if rule.kept_by], ids=lambda rule: rule.number)
def test_the_places_that_the_table_names_are_there(rule: Rule) -> None:
    """A module that was renamed is renamed in the table too."""
    for name in re.findall(r"\b(?:casework|streams|platforms|responder|config)\.\w+", rule.kept_by):
        assert (REPOSITORY / f"{name.replace('.', '/')}.py").exists(), name


def test_what_refuses_comes_before_what_leaves_it_to_people() -> None:
    """And all lines are asked: the order is the same for everybody."""
    effects = [line.effect for line in LINES]

    assert effects == sorted(effects, key=lambda way: way is not Way.NEVER)
    assert sorted(map(id, LINES)) == sorted(
        id(line) for line in (*SETTINGS, *TABLE, *DOUBTS) if line.evaluated
    )
    assert Way.SEND not in effects


def test_the_page_for_people_is_the_table() -> None:
    """`python -m platforms.rules_page` wrote it."""
    assert (REPOSITORY / "docs" / "platform-rules.md").read_text() == rules_page.as_markdown()


def test_a_refusal_is_said_with_its_rule() -> None:
    """So that the timeline names it; what is nobody's rule is said as it is."""
    assert said(Permission(Way.NEVER, "X5", "They asked.")) == "They asked (rule X5)"
    assert said(Objection("Switched off.")) == "Switched off."


# ── whom people may answer from here ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("platform", ["x", "bluesky", "mastodon"])
def test_whoever_spoke_to_the_brand_may_be_answered(platform: str) -> None:
    """An author who addressed the brand is answered by Heard."""
    assert permission(a_mention(platform=platform), Terms()) == Permission(Way.SEND)


@pytest.mark.parametrize(
    ("platform", "number"), [("x", "X1"), ("bluesky", "B1"), ("mastodon", "M1"), ("reddit", "R3")]
)
def test_whoever_did_not_speak_to_the_brand_is_left_to_people(platform: str, number: str) -> None:
    """Without being addressed, Heard never posts, and names the platform's rule in a sentence."""
    allowed = permission(a_mention(platform=platform, addressed=False), APPROVED)
    assert (allowed.way, allowed.rule, allowed.why) == (Way.BY_HAND, number, RULES[number].sentence)


def test_an_unknown_platform_is_refused_with_a_sentence_too() -> None:
    """No rule number is invented for a platform that has none."""
    allowed = permission(a_mention(platform="forum", addressed=False), Terms())
    assert allowed == Permission(Way.BY_HAND, "", "forum allows no such reply.")


@pytest.mark.parametrize("mode", [ReplyMode.WHEN_MENTIONED, ReplyMode.MANUAL])
def test_a_bot_is_never_answered(mode: ReplyMode) -> None:
    """Two bots would thank each other for ever (T11)."""
    bot = a_mention(author=Author("b", "newsbot", bot=True))
    allowed = permission(bot, Terms(mode))
    assert (allowed.way, allowed.rule) == (Way.NEVER, "T11")


@pytest.mark.parametrize("platform", ["x", "reddit", "bluesky", "mastodon", "forum"])
@pytest.mark.parametrize("action", list(Action))
def test_whoever_asked_to_stop_is_never_answered_on_any_platform(platform: str, action: Action) -> None:
    """X asks for it; everybody may expect it (X5)."""
    situation = Situation(a_mention(platform=platform), ON, opted_out=True)
    allowed = may(situation, action)
    assert (allowed.way, allowed.rule) == (Way.NEVER, "X5")


def test_manual_leaves_posting_to_people_and_never_means_never() -> None:
    """The brand's own settings come with a sentence as well."""
    assert permission(a_mention(), Terms(ReplyMode.MANUAL)).way is Way.BY_HAND
    assert permission(a_mention(), Terms(ReplyMode.NEVER)).way is Way.NEVER
    assert "X" in permission(a_mention(), Terms(ReplyMode.MANUAL)).why


def test_without_an_account_people_post_themselves() -> None:
    """Nothing can be sent from here, and the desk says why."""
    allowed = permission(a_mention(platform="bluesky"), Terms(account=False))
    words = "No account is connected on Bluesky, so people post there themselves."
    assert allowed == Permission(Way.BY_HAND, "", words)


@pytest.mark.parametrize("approval", [None, ""])
def test_reddit_takes_nothing_without_its_approval(approval: str | None) -> None:
    """Whatever else is in order (R1)."""
    post = a_mention(platform="reddit", url="https://www.reddit.com/r/travel/comments/abc/x/")
    assert permission(post, replace(APPROVED, approval=approval)).rule == "R1"
    assert permission(post, APPROVED).way is Way.SEND


def test_reddit_is_answered_only_in_the_communities_that_welcome_us() -> None:
    """An empty list means that Heard posts nowhere on Reddit (R3)."""
    post = a_mention(platform="reddit", url="https://www.reddit.com/r/Travel/comments/abc/x/")
    assert place(post) == "travel"
    for places, way in (({}, Way.BY_HAND), ({"Travel"}, Way.SEND), ({"norway"}, Way.BY_HAND)):
        allowed = permission(post, replace(APPROVED, allowed_places=frozenset(places)))
        assert (allowed.way, allowed.rule) == (way, "" if way is Way.SEND else "R3")
    elsewhere = replace(post, url="https://evil.example/r/travel/")
    assert permission(elsewhere, APPROVED).rule == "R3"


@pytest.mark.parametrize(("reference", "number"), [(None, "X3"), ("", "X3"), ("case 0417", "")])
def test_a_language_models_reply_needs_the_approval_of_x(reference: str | None, number: str) -> None:
    """A person's approval is not enough (X3); on other platforms it is."""
    terms = Terms(ai_replies_approved=reference)
    by_model = Situation(a_mention(), terms, written_by_model=True)

    assert may(by_model, Action.REPLY).rule == number
    elsewhere = replace(by_model, mention=a_mention(platform="bluesky"), terms=Terms())
    assert may(elsewhere, Action.REPLY).way is Way.SEND


def test_a_post_is_answered_once() -> None:
    """A second answer to it is refused (X2); an acknowledgement is no answer, nor is one to an older post."""
    case = classified()
    for reply, way in (
        (a_reply(automatic=False, answers=case.last.key, kind=ReplyKind.ANSWER), Way.NEVER),
        (a_reply(automatic=True, answers=case.last.key), Way.SEND),
        (a_reply(automatic=False, kind=ReplyKind.ANSWER), Way.SEND),
    ):
        situation = Situation.of(replace(case, replies=(reply,)), case.last, Terms())
        assert may(situation, Action.REPLY).way is way


# ── what may go out alone ────────────────────────────────────────────────────────────────────────


def test_a_sure_and_plain_complaint_may_be_acknowledged() -> None:
    """With everything in order there is no objection."""
    assert acknowledging(classified()) == Permission(Way.SEND)


def test_nothing_goes_out_by_itself_until_the_brand_says_so() -> None:
    """Automatic replies are off by default."""
    assert "switched off" in acknowledging(classified(), Terms(labelled=True)).why


@pytest.mark.parametrize("terms", [replace(ON, reply=ReplyMode.MANUAL), replace(ON, account=False)])
def test_what_may_not_be_sent_may_not_be_acknowledged(terms: Terms) -> None:
    """What keeps a person's reply in keeps Heard's own in, in the same words."""
    case = classified()
    assert acknowledging(case, terms) == permission(case.last, terms)


def test_a_profile_without_the_automated_label_stays_silent() -> None:
    """X6, B2 and M2 ask for a label on accounts that reply by themselves; no platform goes without."""
    for platform, number in (("x", "X6"), ("bluesky", "B2"), ("mastodon", "M2"), ("forum", "")):
        case = classified()
        mention = replace(case.last, platform=platform)
        found = acknowledging(
            replace(case, platform=platform, mentions=(mention,)), replace(ON, labelled=False)
        )
        assert (found.way, found.rule) == (Way.BY_HAND, number)


def test_a_reddit_submission_gets_one_automatic_reply_a_day() -> None:
    """A bot that answers everybody below one submission is a nuisance there (R3)."""
    post = a_mention(platform="reddit", url="https://www.reddit.com/r/travel/comments/abc/x/")
    terms = replace(ON, approval="case 0417", allowed_places=frozenset({"travel"}))
    first = Situation(post, terms, classification=judged())

    assert may(first, Action.ACKNOWLEDGE).way is Way.SEND
    assert may(replace(first, automatic_in_thread=1), Action.ACKNOWLEDGE).rule == "R3"
    assert may(replace(first, automatic_in_thread=1), Action.REPLY).way is Way.SEND


def test_what_a_language_model_wrote_never_goes_out_alone() -> None:
    """Approval of the platform or not: only reviewed wording does (T1)."""
    terms = replace(ON, ai_replies_approved="case 0417")
    situation = Situation(a_mention(), terms, classification=judged(), written_by_model=True)
    assert may(situation, Action.ACKNOWLEDGE).rule == "T1"


def test_a_case_is_acknowledged_once() -> None:
    """One automatic reply per customer and matter (X2)."""
    assert acknowledging(replace(classified(), replies=(a_reply(automatic=True),))).rule == "X2"


def test_a_mention_that_has_a_reply_is_not_acknowledged() -> None:
    """Where a person was faster the machine keeps quiet, and an answer to an older mention is no bar."""
    case = classified()
    faster = a_reply(automatic=False, answers=case.last.key)
    assert acknowledging(replace(case, replies=(faster,))).rule == "X2"
    assert acknowledging(replace(case, replies=(a_reply(automatic=False),))).way is Way.SEND


def test_a_case_with_a_reply_on_its_way_is_not_acknowledged() -> None:
    """Two replies would cross; the reply that is asked about does not stand in its own way."""
    outgoing = Outgoing("k", ReplyKind.ACKNOWLEDGEMENT, "t", "x:post-1", "heard", NOON, automatic=True)
    case = replace(classified(), outgoing=outgoing)
    assert acknowledging(case).rule == "X2"
    itself = Situation.of(case, case.last, ON, sending=outgoing)
    assert may(itself, Action.ACKNOWLEDGE).way is Way.SEND


@pytest.mark.parametrize("topic", sorted(set(Topic) - {Topic.SPAM}))
def test_grave_matters_are_for_people(topic: Topic) -> None:
    """No topic that the word rules reserve for people is ever acknowledged by the machine."""
    found = acknowledging(classified(judged(topics=(topic, "baggage"))))
    assert found.rule == ("X5" if topic is Topic.OPT_OUT else "T2")
    assert topic is Topic.OPT_OUT or found.why == f"It touches {topic}: that is for people."


def test_an_unsure_model_does_not_speak() -> None:
    """Below the threshold in intent or urgency nothing goes out."""
    assert acknowledging(classified(judged(sure=0.89))).way is Way.BY_HAND
    assert acknowledging(classified(judged(sure=0.9))).way is Way.SEND


def test_irony_is_not_acknowledged() -> None:
    """A friendly complaint, or a feeling that the model is unsure of, is for people."""
    friendly = judged(sentiment=Sentiment.POSITIVE, intent=Intent.BUG)
    unsure = Classification(
        Sentiment.NEGATIVE,
        Intent.COMPLAINT,
        Urgency.HIGH,
        Confidence(sentiment=0.6, intent=0.99, urgency=0.99),
    )
    for judgement in (friendly, unsure):
        found = acknowledging(classified(judgement))
        assert found.way is Way.BY_HAND
        assert "irony" in found.why


def test_a_case_nobody_judged_is_not_acknowledged() -> None:
    """What was not read is not answered."""
    assert "Nobody has read" in acknowledging(replace(classified(), classification=None)).why
