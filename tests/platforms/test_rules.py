"""Who may be answered, and what may go out alone, by each platform's rules."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.case import Case
from casework.classification import Classification, Confidence, Intent, Sentiment, Topic, Urgency
from casework.draft import ReplyKind
from casework.mention import Author, Mention
from casework.reply import Outgoing, Permission, Reply, Way
from platforms.rules import RULES, Automatic, ReplyMode, Terms, may_acknowledge, permission, place
from tests.fakes.cases import BY_HAND, MAY_SEND, NOON, a_mention, classified, judged

ON = Automatic(enabled=True, labelled=frozenset({"x", "bluesky", "mastodon"}))
PLATFORMS = ("x", "reddit", "bluesky", "mastodon")


def a_reply(*, automatic: bool, answers: str = "x:post-0") -> Reply:
    return Reply(
        key="k",
        kind=ReplyKind.ACKNOWLEDGEMENT,
        id="1",
        text="",
        answers=answers,
        decided_by="heard",
        posted_at=NOON,
        automatic=automatic,
    )


def refusal(
    case: Case, *, allowed: Permission = MAY_SEND, automatic: Automatic = ON
) -> tuple[str, str] | None:
    found = may_acknowledge(case, allowed=allowed, automatic=automatic)
    return (found.rule, found.why) if found else None


def test_the_table_has_every_rule_of_every_platform() -> None:
    """X1-X15, R1-R5, B1-B5 and Mastodon's rules are there, each a sentence with its source."""
    numbers = {
        *(f"X{n}" for n in range(1, 16)),
        *(f"R{n}" for n in range(1, 6)),
        *(f"B{n}" for n in range(1, 6)),
        *(f"M{n}" for n in range(1, 5)),
    }
    assert numbers <= set(RULES)
    for number, rule in RULES.items():
        assert rule.number == number
        assert rule.sentence.endswith(".")
        assert rule.source


@pytest.mark.parametrize("platform", ["x", "bluesky", "mastodon"])
def test_whoever_spoke_to_the_brand_may_be_answered(platform: str) -> None:
    """An author who addressed the brand is answered by Heard."""
    assert permission(a_mention(platform=platform), Terms()).way is Way.SEND


@pytest.mark.parametrize(
    ("platform", "number"), [("x", "X1"), ("bluesky", "B1"), ("mastodon", "M1"), ("reddit", "R3")]
)
def test_whoever_did_not_speak_to_the_brand_is_left_to_people(platform: str, number: str) -> None:
    """Without being addressed, Heard never posts, and names the platform's rule in a sentence."""
    allowed = permission(a_mention(platform=platform, addressed=False), Terms())
    assert (allowed.way, allowed.rule, allowed.why) == (Way.BY_HAND, number, RULES[number].sentence)


def test_an_unknown_platform_is_refused_with_a_sentence_too() -> None:
    """No rule number is invented for a platform that has none."""
    allowed = permission(a_mention(platform="forum", addressed=False), Terms())
    assert (allowed.way, allowed.rule) == (Way.BY_HAND, "")
    assert allowed.why


@pytest.mark.parametrize("mode", [ReplyMode.WHEN_MENTIONED, ReplyMode.MANUAL])
def test_a_bot_is_never_answered(mode: ReplyMode) -> None:
    """Two bots would thank each other for ever (T11)."""
    bot = a_mention(author=Author("b", "newsbot", bot=True))
    allowed = permission(bot, Terms(mode))
    assert (allowed.way, allowed.rule) == (Way.NEVER, "T11")


def test_manual_leaves_posting_to_people_and_never_means_never() -> None:
    """The brand's own settings come with a sentence as well."""
    assert permission(a_mention(), Terms(ReplyMode.MANUAL)).way is Way.BY_HAND
    assert permission(a_mention(), Terms(ReplyMode.NEVER)).way is Way.NEVER
    assert "X" in permission(a_mention(), Terms(ReplyMode.MANUAL)).why


def test_reddit_is_answered_only_in_the_communities_that_welcome_us() -> None:
    """An empty list means that Heard posts nowhere on Reddit (R3)."""
    post = a_mention(platform="reddit", url="https://www.reddit.com/r/Travel/comments/abc/x/")
    assert place(post) == "travel"
    assert permission(post, Terms()).rule == "R3"
    assert permission(post, Terms(allowed_places=frozenset({"Travel"}))).way is Way.SEND
    assert permission(post, Terms(allowed_places=frozenset({"norway"}))).way is Way.BY_HAND
    elsewhere = replace(post, url="https://evil.example/r/travel/")
    assert permission(elsewhere, Terms(allowed_places=frozenset({"travel"}))).way is Way.BY_HAND


@given(
    platform=st.sampled_from([*PLATFORMS, "forum"]),
    addressed=st.booleans(),
    bot=st.booleans(),
    mode=st.sampled_from(ReplyMode),
    url=st.sampled_from([None, "https://reddit.com/r/travel/comments/1"]),
)
def test_nothing_is_ever_sent_to_whoever_did_not_ask(
    platform: str, addressed: bool, bot: bool, mode: ReplyMode, url: str | None
) -> None:
    """Sending needs a person who spoke to the brand and a brand that allows it; all else has words."""
    mention = a_mention(platform=platform, addressed=addressed, url=url, author=Author("a", "a", bot=bot))
    allowed = permission(mention, Terms(mode, frozenset({"travel"})))
    if allowed.way is Way.SEND:
        assert addressed
        assert not bot
        assert mode is ReplyMode.WHEN_MENTIONED
    else:
        assert allowed.why.endswith(".")


def test_a_sure_and_plain_complaint_may_be_acknowledged() -> None:
    """With everything in order there is no objection."""
    assert refusal(classified()) is None


def test_nothing_goes_out_by_itself_until_the_brand_says_so() -> None:
    """Automatic replies are off by default."""
    assert refusal(classified(), automatic=Automatic()) is not None


def test_what_may_not_be_sent_may_not_be_acknowledged() -> None:
    """The platform's refusal is passed on with its rule."""
    assert refusal(classified(), allowed=BY_HAND) == (BY_HAND.rule, BY_HAND.why)


def test_a_profile_without_the_automated_label_stays_silent() -> None:
    """X6, B2 and M2 ask for a label on accounts that reply by themselves."""
    unlabelled = Automatic(enabled=True)
    for platform, number in (("x", "X6"), ("bluesky", "B2"), ("mastodon", "M2")):
        case = classified()
        mention = replace(case.last, platform=platform)
        found = refusal(replace(case, platform=platform, mentions=(mention,)), automatic=unlabelled)
        assert found is not None
        assert found[0] == number


def test_a_case_is_acknowledged_once() -> None:
    """One automatic reply per customer and matter (X2)."""
    once = replace(classified(), replies=(a_reply(automatic=True),))
    assert (refusal(once) or ("",))[0] == "X2"


def test_a_mention_that_has_a_reply_is_not_acknowledged() -> None:
    """Where a person was faster the machine keeps quiet, and an answer to an older mention is no bar."""
    case = classified()
    assert refusal(replace(case, replies=(a_reply(automatic=False, answers=case.last.key),))) is not None
    assert refusal(replace(case, replies=(a_reply(automatic=False),))) is None


def test_a_case_with_a_reply_on_its_way_is_not_acknowledged() -> None:
    """Two replies would cross."""
    outgoing = Outgoing("k", ReplyKind.ANSWER, "t", "x:post-1", "Nina", NOON)
    assert refusal(replace(classified(), outgoing=outgoing)) is not None


@pytest.mark.parametrize("topic", sorted(set(Topic) - {Topic.SPAM}))
def test_grave_matters_are_for_people(topic: Topic) -> None:
    """No topic that the word rules reserve for people is ever acknowledged by the machine."""
    found = refusal(classified(judged(topics=(topic, "baggage"))))
    assert found is not None
    assert found[0] == ("X5" if topic is Topic.OPT_OUT else "T2")


def test_an_unsure_model_does_not_speak() -> None:
    """Below the threshold in intent or urgency nothing goes out."""
    assert refusal(classified(judged(sure=0.89))) is not None
    assert refusal(classified(judged(sure=0.9))) is None


def test_irony_is_not_acknowledged() -> None:
    """A friendly complaint, or a feeling that the model is unsure of, is for people."""
    assert refusal(classified(judged(sentiment=Sentiment.POSITIVE, intent=Intent.BUG))) is not None
    unsure = Classification(
        Sentiment.NEGATIVE,
        Intent.COMPLAINT,
        Urgency.HIGH,
        Confidence(sentiment=0.6, intent=0.99, urgency=0.99),
    )
    found = refusal(classified(unsure))
    assert found is not None
    assert "irony" in found[1]


def test_a_case_nobody_judged_is_not_acknowledged() -> None:
    """What was not read is not answered."""
    assert refusal(replace(classified(), classification=None)) is not None


def test_a_mention_that_does_not_address_us_is_not_acknowledged_whatever_was_permitted() -> None:
    """A stale permission does not outlive the rule it rests on."""
    case = classified()
    keyword_only: Mention = replace(case.last, addressed=False)
    assert (refusal(replace(case, mentions=(keyword_only,))) or ("",))[0] == "X1"
