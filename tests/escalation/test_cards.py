"""A case as a Slack message: every state says what it must, in payloads that Slack takes and never obeys."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from casework import moves
from casework.case import Case, Move
from casework.timeline import TimelineEntry
from escalation import cards
from escalation.cards import card, thread_line
from escalation.slack_payload import Payload, read_value
from tests.escalation.looks import (
    ODD,
    POST_URL,
    STATES,
    a_look,
    answered,
    held,
    in_state,
    joined,
    naughty,
    proposed,
    written_by_a_stranger,
)
from tests.fakes.block_kit import DESK, problems
from tests.fakes.cases import BY_HAND, MINUTE, NOON, PROMISES, a_mention, drafted

LINKS = (DESK, POST_URL)
SKETCHES = Path("/work/shared/ux")


def drawn(name: str) -> Payload:
    return card(*in_state(name))


def elements(payload: Payload) -> Iterator[dict[str, Any]]:
    """Everything on the card that can be pressed."""
    for block in payload.as_json()["blocks"]:  # type: ignore[attr-defined]  # a list of blocks
        found = block.get("elements", []) if block["type"] == "actions" else []
        yield from [*found, *([block["accessory"]] if "accessory" in block else [])]


def pressed(payload: Payload) -> dict[str, dict[str, Any]]:
    return {element["action_id"]: element for element in elements(payload)}


def words(payload: Payload) -> str:
    return json.dumps(payload.as_json(), ensure_ascii=False)


def head(payload: Payload) -> str:
    return str(payload.blocks[0]["text"]["text"])  # type: ignore[index]  # the head is a section


# ── what the card says in each state ─────────────────────────────────────────────────────────────

NONE: set[str] = set()
APPROVE = {"card.approve", "card.edit", "card.reject", "card.take", "card.snooze", "card.more"}
HAND = {"link.post", "card.posted", "card.edit", "card.reject", "card.take", "card.snooze", "card.more"}
WITHOUT_DRAFT = {"card.edit", "card.take", "card.snooze", "card.close", "card.note", "card.more"}
ENDED = {"link.post", "card.reopen", "card.note"}
REPLIED = ENDED | {"card.takeback"}


@pytest.mark.parametrize(
    ("name", "said", "buttons"),
    [
        ("being read", "● *On time*", {"card.take", "card.note"}),
        ("on time", "● *On time*", APPROVE),
        ("at risk", "▲ *At risk*", APPROVE),
        ("late", "■ *Late*  ·  reply was due", APPROVE),
        ("editing", "● *On time*", {"card.take"}),
        ("approved", "⏳ *Approved, about to be sent*  ·  approved by Nina", NONE),
        ("waits its turn", "⏳ *Waits its turn*  ·  X takes it at", {"card.close"}),
        ("sending", "⏳ *Sending…*  ·  approved by Nina", NONE),
        ("unknown", "⏳ *Sent? Nobody knows yet*", NONE),
        ("answered", "✔ *Answered in 10 min* – in time for *first hour* and *same day*", REPLIED),
        ("answered late", "✔ *Answered in 1 h 30 min* – too late for *first hour*", REPLIED),
        ("answered by hand", "by hand, by Nina", ENDED),
        (
            "not sent",
            "✖ *Not sent*  ·  403: not allowed to reply\nNothing was published. The promise still runs",
            {"link.post", "card.posted", "card.retry", "card.edit", "card.take", "card.snooze", "card.more"},
        ),
        ("by hand", "● *On time*", HAND),
        ("by hand without a draft", "● *On time*", HAND - {"card.reject"}),
        ("never", "● *On time*", {"card.take", "card.close", "card.note", "card.more"}),
        ("snoozed", "◗ *Snoozed until", {"card.wake", "card.take", "card.more"}),
        ("snoozed and late", "■ *Late*", {"card.wake", "card.take", "card.more"}),
        ("acknowledged", "● *On time*  ·  full answer due", APPROVE),
        ("closed", "○ *Closed* by Nina  ·  Solved", ENDED),
        ("ignored", "○ *No reply needed*  ·  rule spam", ENDED),
        ("deleted", "🗑 *The author deleted this post*  ·  closed", NONE),
        ("deleted while sending", "a reply was already on its way", NONE),
        ("erased", "🗑 *Erased*", NONE),
        ("held", "● *On time*", WITHOUT_DRAFT),
        ("second approval", "● *On time*", APPROVE),
    ],
)
def test_each_state_says_what_is_so_and_offers_what_may_be_done(
    name: str, said: str, buttons: set[str]
) -> None:
    """The first line is all that a phone shows; the buttons are those that the case allows."""
    shown = drawn(name)

    assert said in head(shown)
    assert set(pressed(shown)) == buttons


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("on time", "Suggested reply*  ·  31 of 280 characters"),
        ("on time", "Based on Delayed bags (KB-12)"),
        ("on time", "rule `refunds`  ·  complaint 90 %, high urgency 90 %, negative 90 %"),
        ("on time", "Can be sent to X from here"),
        ("on time", "same day ends"),
        ("on time", f"<{DESK}/cases/C-100|C-100>"),
        ("wrote again", "🔁 2 posts in this case  ·  ⏳ waiting since <!date^1793707260^{time}|13:01>"),
        ("taken", "Nina has it"),
        ("editing", "Nina is editing since 13:14: nobody answers twice"),
        ("by hand", "X refuses replies unless the author mentioned you (rule X1). Post it by hand."),
        ("never", "No reply is allowed: the author asked not to be answered (rule X5)"),
        ("acknowledged", "🤖 Acknowledged automatically at 13:00; the answer is still due."),
        ("held", "*No draft*"),
        ("held", "no article answers this"),
        ("not sure", "🤔 *not sure what is wanted and how soon*: read it yourself"),
        ("second approval", "1 of 2 approvals: Nina"),
        ("practice", "*Practice*"),
        ("deleted", "keeps only times and decisions"),
    ],
)
def test_the_card_gives_the_facts_that_a_decision_needs(name: str, said: str) -> None:
    """Only what the case holds: nothing is made up about the customer."""
    assert said in words(drawn(name))


def test_followers_come_last_and_only_where_there_are_some() -> None:
    """Nobody is served sooner for being loud."""
    case, look = in_state("wrote again")
    loud = replace(case, author=replace(case.author, followers=1_200))

    assert "13:01>  ·  1,200 followers" in words(card(loud, look))
    assert "followers" not in words(card(case, look))


@pytest.mark.parametrize("name", STATES)
def test_drawing_again_gives_the_same_card(name: str) -> None:
    """Delivering is drawing, so a second drawing after a crash must change nothing."""
    case, look = in_state(name)

    assert card(case, look) == card(case, look)


@pytest.mark.parametrize("name", STATES)
def test_every_button_carries_the_case_the_version_and_the_text_that_was_shown(name: str) -> None:
    """A press decides about what was read (T5); a practice card carries nothing to decide by."""
    case, look = in_state(name)
    for element in elements(card(case, look)):
        for carrier in [element, *element.get("options", [])]:
            if "value" not in carrier:
                continue
            value = read_value(carrier["value"])
            if look.practice:
                assert value is None
                assert element["action_id"].startswith("practice.")
                continue
            assert value is not None
            assert (value.case, value.version) == (case.id, case.version)
            assert value.draft == (case.draft.sha256[:16] if case.draft else "")


def test_the_card_is_found_again_by_what_it_carries_unseen() -> None:
    """After a crash between posting and noting the message, its metadata says whose card it is."""
    shown = drawn("on time")

    assert shown.metadata == {
        "event_type": "case_card",
        "event_payload": {"case": "C-100", "version": drafted().version},
    }
    assert drawn("practice").metadata is None


def test_the_menu_has_the_five_rarer_things() -> None:
    """Each choice names its action in its value."""
    options = pressed(drawn("on time"))["card.more"]["options"]
    chosen = [read_value(option["value"]) for option in options]

    assert [value.action for value in chosen if value] == [
        "redraft",
        "relabel",
        "irrelevant",
        "escalate",
        "explain",
    ]
    without = pressed(drawn("held"))["card.more"]["options"]
    assert len(without) == 4, "there is no draft to write another one of"


def test_a_choice_of_snooze_says_when_it_passes_a_promise() -> None:
    """The hour's promise ends before an hour from now; half an hour from now it does not."""
    options = pressed(drawn("on time"))["card.snooze"]["options"]
    read = [read_value(option["value"]) for option in options]

    assert [value.action for value in read if value] == [*cards.RESTS, "await"]
    assert "description" not in options[0]
    assert options[1]["description"]["text"] == "past the promise first hour"


@pytest.mark.parametrize(
    ("choice", "until"),
    [
        ("half-hour", "2026-11-03T12:45:00+00:00"),
        ("two-hours", "2026-11-03T14:15:00+00:00"),
        ("tomorrow", "2026-11-04T08:00:00+00:00"),
        ("until", None),
        ("forever", None),
    ],
)
def test_a_choice_of_snooze_is_an_instant(choice: str, until: str | None) -> None:
    """Tomorrow is 09:00 where the brand is."""
    found = cards.rest(choice, a_look().now, "Europe/Oslo")

    assert (found.isoformat() if found else None) == until


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("on time", None),
        ("delicate", "This touches legal. It will be public."),
        ("link on X", "A reply with a link costs about $0.20 on X (rule X8). It will be public."),
    ],
)
def test_approving_asks_once_more_only_where_it_costs(name: str, asked: str | None) -> None:
    """A question at every press is a question that nobody reads."""
    approve = pressed(drawn(name))["card.approve"]

    assert approve.get("confirm", {}).get("text", {}).get("text") == asked


def test_somebody_else_s_dialog_is_taken_over_only_after_a_question() -> None:
    """Approve is away meanwhile, so that nobody answers twice."""
    shown = pressed(drawn("editing"))

    assert "Nina has been editing since 13:14" in shown["card.take"]["confirm"]["text"]["text"]


def test_by_hand_the_first_button_only_opens_the_platform() -> None:
    """It links; what it carries decides nothing, and without an address there is none."""
    opens = pressed(drawn("by hand"))["link.post"]

    assert opens["url"].startswith("https://x.com/intent/post?")
    assert opens["style"] == "primary"
    assert opens["text"]["text"] == "Copy & open X"
    case, look = in_state("by hand")
    nowhere = replace(case, mentions=(replace(case.last, url=None),))
    assert "link.post" not in pressed(card(nowhere, replace(look, link=lambda _case: None)))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://brand.example@evil.example/",
        "https://x.com/a|b",
        "https://x.com/<!channel>",
        "data:text/html,x",
        "https://x.com/ a",
        "https://[",
        "http:///x",
        "https://x.com/" + "a" * 3_000,
    ],
)
def test_an_address_that_no_browser_should_open_leads_nowhere(url: str) -> None:
    """Neither a button nor words lead there."""
    for name in ("on time", "by hand", "answered"):
        case, look = in_state(name)
        odd = replace(case, mentions=tuple(replace(mention, url=url) for mention in case.mentions))
        shown = card(odd, replace(look, link=lambda _case: url))

        assert problems(shown, links=LINKS) == []
        assert "link.post" not in pressed(shown)
        assert url not in words(shown)


def test_a_reply_that_a_card_cannot_show_whole_is_not_approved_there() -> None:
    """An approval covers exactly the text that was read (T5); up to there it is shown in paragraphs."""
    case, look = in_state("on time")
    long, longer = (written(case, "word " * many) for many in (1_150, 1_300))

    assert "card.approve" in pressed(card(long, look))
    shown = [b["text"]["text"] for b in card(long, look).blocks if str(b.get("block_id")).startswith("draft")]  # type: ignore[index]  # sections
    assert "".join(shown) == "word " * 1_150
    assert "card.approve" not in pressed(card(longer, look))
    assert "approve it at the desk" in words(card(longer, look))


def written(case: Case, text: str) -> Case:
    assert case.draft
    return replace(case, draft=replace(case.draft, text=text))


def test_a_deletion_of_one_post_leaves_the_others_on_the_card() -> None:
    """What the customer still says stands there; what they took back does not."""
    case = moves.withdraw(joined(), mention_key="x:post-2", at=NOON + 20 * MINUTE).case
    shown = words(card(case, a_look()))

    assert "My bag is lost!" in shown
    assert "Still no bag" not in shown


@pytest.mark.parametrize("name", ["deleted", "deleted while sending", "erased"])
def test_a_deletion_takes_every_word_and_name(name: str) -> None:
    """X asks for it within a day, and a phone keeps the fallback text (S7)."""
    shown = words(drawn(name))

    assert "bag" not in shown
    assert "Maya" not in shown
    assert "maya" not in shown


def test_the_clock_that_stopped_shows_no_kept_promise() -> None:
    """The promise clock may be late; the card says what is so now."""
    case, look = in_state("on time")

    assert "*Late*" in head(card(case, replace(look, now=NOON + 61 * MINUTE)))


def test_a_practice_card_has_no_way_out() -> None:
    """No desk, no platform, nothing that a worker would take for a decision."""
    shown = drawn("practice")

    assert DESK not in words(shown)
    assert all(name.startswith("practice.") for name in pressed(shown))
    assert shown.text.startswith("Practice.")


# ── validity, and nothing that Slack obeys ───────────────────────────────────────────────────────


@pytest.mark.parametrize("odd", ODD)
def test_slack_takes_every_state_with_odd_words(odd: str) -> None:
    """Every state with every kind of text, wherever a stranger can put it."""
    for name in STATES:
        case, look = in_state(name)
        shown = card(written_by_a_stranger(case, ODD[odd]), look)

        assert problems(shown, said=ODD[odd], links=LINKS) == [], name


def test_slack_obeys_no_text_of_the_collections() -> None:
    """As post, name, handle, draft and reason at once, on a card that shows them all."""
    look, case = a_look(), in_state("on time")[0]
    for text in naughty():
        assert problems(card(written_by_a_stranger(case, text), look), said=text, links=LINKS) == [], text[
            :80
        ]


def test_colleagues_and_the_brand_s_own_file_are_not_obeyed_either() -> None:
    """A display name in Slack is whatever somebody types; a rule's name too."""
    rough = "<!channel> *x* `y` <https://evil.example|ok> & ⟧"
    for name in STATES:
        case, look = in_state(name)
        odd = replace(
            case,
            owner=rough,
            escalated_to=rough,
            rule=rough,
            approvals=(rough,),
            moved_by=rough,
            promises=tuple(replace(promise, name=rough) for promise in case.promises),
            outgoing=replace(case.outgoing, decided_by=rough) if case.outgoing else None,
            replies=tuple(replace(reply, decided_by=rough) for reply in case.replies),
            classification=replace(case.classification, topics=(rough,) * 9) if case.classification else None,
        )
        assert problems(card(odd, look), links=LINKS) == [], name


@pytest.mark.parametrize("name", sorted(path.name for path in SKETCHES.glob("m*.json")))
def test_the_checker_takes_what_the_sketches_send(name: str) -> None:
    """It asks no more than Slack does."""
    people = ("U0NINA", "U0BOSS", "U0OLA")
    sketch = json.loads((SKETCHES / name).read_text())

    assert problems(sketch, links=(DESK, "https://x.com/mayar/"), people=people) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"text": ""}, "no fallback text"),
        ({"text": "Hi <!channel>"}, "live control"),
        ({"text": "my bag is lost again"}, "words of the post"),
        ({"blocks": [{"type": "divider"}] * 51}, "51 blocks"),
        ({"blocks": [{"type": "divider", "block_id": "a"}] * 2}, "2 times"),
        ({"blocks": [{"type": "alert", "text": {"type": "plain_text", "text": "x"}}]}, "message"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "a <b <c>"}}]}, "unbalanced"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "<@U012ABC>"}}]}, "live control"),
        (
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "<https://evil.example|x>"}}]},
            "live",
        ),
        ({"blocks": [{"type": "section", "text": {"type": "plain_text", "text": "a" * 3_001}}]}, "3001"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "a" * 151}}]}, "slackblocks"),
    ],
)
def test_the_checker_sees_what_is_wrong(change: dict[str, object], found: str) -> None:
    """A check that finds nothing checks nothing."""
    payload = {"text": "ok", "blocks": [{"type": "divider"}], **change}

    assert any(found in words for words in problems(payload, said="My bag is lost!"))


# ── the thread ───────────────────────────────────────────────────────────────────────────────────


def entry(what: str, detail: str = "", by: str = "Nina") -> TimelineEntry:
    return TimelineEntry(NOON, what, by, detail, version=7)


@pytest.mark.parametrize(
    ("what", "detail", "said"),
    [
        (Move.APPROVE, "draft-1", "· Nina approved this."),
        (Move.APPROVE, "draft-1, 1 of 2 approvals", "· Nina approved this: 1 of 2 approvals."),
        (Move.REJECT, "The facts are wrong", "· Nina rejected the draft: The facts are wrong"),
        (Move.TAKE, "to Ola", "· Nina took this: to Ola"),
        (Move.TAKE, "still on it", "· Nina took this: still on it"),
        (Move.RELEASE, "", "· Nina released this."),
        (Move.RELEASE, "Ola had it", "· Nina released this: Ola had it"),
        (Move.CLOSE, "Solved elsewhere", "· Nina closed this: Solved elsewhere"),
        (Move.SENT, "answer 9", "✔ Nina sent the reply."),
        (Move.REFUSE, "403", "✖ X did not take the reply; nothing was published: 403"),
        (Move.SNOOZE, "until gibberish", "· Nina snoozed this."),
        (Move.NOTE, "call her", "📝 Nina left a note."),
    ],
)
def test_the_thread_says_who_did_what(what: str, detail: str, said: str) -> None:
    """A sentence a line, in the order of the timeline."""
    line = thread_line(drafted(), entry(what, detail))

    assert line is not None
    assert head(line) == said
    assert problems(line) == []


def test_a_snooze_says_until_when_and_which_promise_it_passes() -> None:
    """The instant in the reader's own zone."""
    line = thread_line(
        drafted(), entry(Move.SNOOZE, "until 2026-11-03T13:30:00+00:00, past the promise first hour")
    )

    assert line is not None
    assert head(line) == (
        "· Nina snoozed this until <!date^1793712600^{date_short_pretty} {time}|03 Nov 13:30 UTC>, "
        "past the promise first hour."
    )


def test_what_the_customer_writes_again_is_quoted_and_never_parsed() -> None:
    """The words stand in the quote, and the sentence above has none of them."""
    case = moves.join(drafted(), a_mention(2, "<!channel> where is it"), at=NOON, promises=PROMISES).case
    line = thread_line(case, entry(Move.JOIN, "x:post-2", "heard"))

    assert line is not None
    assert head(line) == "💬 Maya wrote again."
    assert line.blocks[1]["type"] == "rich_text"
    assert "<!channel> where is it" in json.dumps(line.blocks[1])
    assert problems(line, said="<!channel> where is it") == []


@pytest.mark.parametrize(
    "what", [Move.HEAR, Move.CLASSIFY, Move.DRAFT, Move.WAKE, Move.TELL, "something new"]
)
def test_the_thread_keeps_quiet_about_what_heard_does_by_itself(what: str) -> None:
    """The card says it already."""
    assert thread_line(drafted(), entry(what)) is None


def test_the_thread_obeys_no_text_of_the_collections() -> None:
    """As a follow-up, a note, a reason and a refusal."""
    case = drafted()
    for text in [*ODD.values(), *naughty()]:
        odd = written_by_a_stranger(case, text)
        for what, detail in [
            (Move.JOIN, "x:post-1"),
            (Move.NOTE, text),
            (Move.REJECT, text),
            (Move.REFUSE, text),
            (Move.SNOOZE, text),
        ]:
            line = thread_line(odd, entry(what, detail))
            assert line is not None
            assert problems(line, said=text) == [], text[:80]


def test_what_is_open_to_people_without_a_draft_is_written_first() -> None:
    """The one button that stands out begins the reply."""
    primary = [e["action_id"] for e in elements(card(held(), a_look())) if e.get("style") == "primary"]

    assert primary == ["card.edit"]
    assert not [e for e in elements(card(answered(), a_look())) if e.get("style")]
    assert [e["action_id"] for e in elements(card(proposed(BY_HAND), a_look())) if e.get("style")] == [
        "link.post"
    ]
