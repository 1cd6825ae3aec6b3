"""The pages without any script: the queue, a case and its buttons, the promises, the health."""

import re
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI

from casework import moves, words
from casework.case import LEGAL, Case, Move, Moved, Status
from casework.clock import ManualClock
from casework.reply import Permission, Way
from casework.timeline import TimelineEntry
from streams.case_store import CaseStore
from tests.fakes.cases import BY_HAND, MINUTE, NOON, PROMISES, a_mention, in_status
from tests.webdesk.conftest import Person, browser, sign_in
from tests.webdesk.desks import SwitchInMemory, a_desk, put_draft, put_morning
from webdesk.app import create_app
from webdesk.desk import HealthLine

ROW = re.compile(r'data-id="(C-[0-9]+)"')


async def test_the_queue_shows_late_first_then_the_promise_due_next(nina: Person, cases: CaseStore) -> None:
    """Jonas is 3 minutes late; the others follow by what is left."""
    rows = await put_morning(cases)

    text = (await nina.get("/")).text

    assert ROW.findall(text) == [rows[name].id for name in ("jonas", "maya", "sky", "ana", "omar")]
    assert "3 min late" in text
    assert "17:00 left" in text
    assert re.search(r'data-count="late">1<', text)


async def test_the_queue_holds_only_what_waits_for_people(nina: Person, cases: CaseStore) -> None:
    """What is approved, closed or not yet judged is no work for anybody."""
    waits = await put_draft(cases)
    closed = await put_draft(cases, author="ana")
    await cases.save(moves.close(closed, by="Omar", at=NOON, reason="done"))

    assert ROW.findall((await nina.get("/")).text) == [waits.id]


async def test_an_empty_queue_says_what_to_do(nina: Person) -> None:
    """Nothing waiting is good news, and a newcomer learns how to see something."""
    text = (await nina.get("/")).text

    assert "Nothing waits for you." in text
    assert "heard demo" in text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("platform=reddit", ["sky"]),
        ("state=late", ["jonas"]),
        ("state=at-risk", ["maya"]),
        ("owner=mine", ["sky"]),
        ("owner=nobody", ["jonas", "maya", "ana", "omar"]),
        ("q=REFUND", ["maya"]),
        ("platform=x&state=on-time", ["omar"]),
        ("q=nothing+like+it", []),
    ],
)
async def test_the_queue_is_filtered(nina: Person, cases: CaseStore, query: str, names: list[str]) -> None:
    """By platform, standing, owner and words, and by all of them at once."""
    rows = await put_morning(cases)

    assert ROW.findall((await nina.get(f"/?{query}")).text) == [rows[name].id for name in names]


async def test_a_stopped_promise_clock_hides_no_broken_promise(
    nina: Person, cases: CaseStore, clock: ManualClock
) -> None:
    """The page reads the deadline itself: nobody woke this case, and it is late all the same."""
    await put_draft(cases)
    clock.advance(timedelta(minutes=61))

    text = (await nina.get("/")).text

    assert "1 min late" in text
    assert re.search(r'class="pill late"', text)


async def test_a_case_page_shows_what_a_decision_needs(nina: Person, cases: CaseStore) -> None:
    """The conversation, the draft with its sources, why it is here, its promises and its timeline."""
    case = await put_draft(cases)

    text = (await nina.get(f"/cases/{case.id}")).text

    for said in (
        "My bag is lost!",
        "Hi Maya, we are looking for it.",
        "Delayed bags",
        "complaints about baggage always need a person",
        "refunds",
        "90 % sure",
        "first hour",
        "wrote a draft",
        "Can be sent to X from here.",
    ):
        assert said in text, said


async def test_a_reply_that_waits_its_turn_says_until_when(nina: Person, cases: CaseStore) -> None:
    """Reddit lets us answer at 14:32: nobody has to wonder why it is not out yet (R5)."""
    draft = await put_draft(cases)
    sha256 = draft.draft.sha256 if draft.draft else ""
    case = await cases.save(moves.approve(draft, by="Nina", at=NOON, draft_sha256=sha256))
    case = await cases.save(moves.begin_sending(case, at=NOON, look_at=NOON + MINUTE))
    await cases.save(moves.wait_its_turn(case, at=NOON, why="RATELIMIT", until=NOON + 92 * MINUTE))

    text = (await nina.get(f"/cases/{case.id}")).text

    assert "Approved, waits its turn: X lets us answer at" in text
    assert re.search(r"lets us answer at <time[^>]*>1[34]:32|lets us answer at 1[34]:32", text)


async def test_approving_sends_exactly_what_was_shown(nina: Person, cases: CaseStore) -> None:
    """The button carries the version and the fingerprint of the page it stands on."""
    case = await put_draft(cases)
    assert case.draft is not None

    answer = await nina.post(
        f"/cases/{case.id}/approve", version=case.version, draft_sha256=case.draft.sha256
    )

    assert answer.status_code == 303
    after = await cases.load(case.id)
    assert after.status is Status.APPROVED
    assert after.outgoing is not None
    assert (after.outgoing.text, after.outgoing.decided_by) == (case.draft.text, "Nina")
    assert "It goes out now" in (await nina.get(answer.headers["location"])).text


async def test_the_loser_of_a_click_sees_who_won_and_the_case_as_it_is(
    app: FastAPI, nina: Person, cases: CaseStore, clock: ManualClock
) -> None:
    """A click is never silently ignored."""
    case = await put_draft(cases)
    assert case.draft is not None
    press = {"version": case.version, "draft_sha256": case.draft.sha256}
    link = (await nina.post("/invite")).text.split("/login?token=")[1].split('"')[0]
    async with browser(app) as http:
        omar = await sign_in(http, "Omar", link)
        await nina.post(f"/cases/{case.id}/approve", **press)
        clock.advance(timedelta(seconds=20))

        lost = await omar.post(f"/cases/{case.id}/approve", **press)
        mine = await nina.post(f"/cases/{case.id}/approve", **press)

    assert lost.status_code == 409
    assert "Nina already approved this 20 seconds ago, so your click did nothing." in lost.text
    assert "Approved, about to be sent" in lost.text
    assert "You already approved this 20 seconds ago, so your click did nothing." in mine.text


async def test_a_customer_who_wrote_again_stops_the_click(nina: Person, cases: CaseStore) -> None:
    """A draft answers the last mention; another one retires it, and the page says why nothing happened."""
    case = await put_draft(cases)
    assert case.draft is not None
    again = a_mention(2, "Still waiting!", author=case.author)
    await cases.save(moves.join(case, again, at=NOON, promises=PROMISES))

    answer = await nina.post(
        f"/cases/{case.id}/approve", version=case.version, draft_sha256=case.draft.sha256
    )

    assert answer.status_code == 409
    assert "The customer wrote again" in answer.text
    assert "Still waiting!" in answer.text


async def press(nina: Person, case: Case, action: str, **fields: object) -> str:
    answer = await nina.post(f"/cases/{case.id}/{action}", version=case.version, **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def test_every_button_does_what_it_says(nina: Person, cases: CaseStore) -> None:
    """Take, edit, note, snooze, hand on, reject, close, reopen, by hand: each once, all in Nina's name."""
    case = await put_draft(cases)
    steps: list[tuple[str, dict[str, object], Status]] = [
        ("take", {}, Status.DRAFTED),
        ("edit", {"text": "Hi Maya,\r\nfound it."}, Status.DRAFTED),
        ("note", {"text": "I know her"}, Status.DRAFTED),
        ("snooze", {"minutes": 15}, Status.SNOOZED),
        ("escalate", {"to": "managers", "reason": "money"}, Status.HELD),
        ("reject", {"reason": "too cold"}, Status.HELD),
        ("close", {"reason": "phoned"}, Status.CLOSED),
        ("reopen", {}, Status.HELD),
        ("posted", {"text": "Found it, Maya."}, Status.ANSWERED),
    ]
    for action, fields, status in steps:
        await press(nina, case, action, **fields)
        case = await cases.load(case.id)
        assert (case.status, case.moved_by) == (status, "Nina"), action

    assert case.replies[0].text == "Found it, Maya."
    assert case.replies[0].by_hand


async def test_an_edit_is_saved_with_plain_line_ends(nina: Person, cases: CaseStore) -> None:
    """A browser's CRLF is not what the customer gets."""
    case = await put_draft(cases)

    await press(nina, case, "edit", text="Hi Maya,\r\nfound it.")

    after = await cases.load(case.id)
    assert after.draft is not None
    assert (after.draft.text, after.draft.written_by) == ("Hi Maya,\nfound it.", "Nina")


async def test_save_and_send_sends_what_was_typed(nina: Person, cases: CaseStore) -> None:
    """One press edits and approves exactly that text."""
    case = await put_draft(cases)

    await press(nina, case, "edit", text="Found it, Maya.", send="1")

    after = await cases.load(case.id)
    assert after.outgoing is not None
    assert after.outgoing.text == "Found it, Maya."


async def test_words_that_the_checks_doubt_wait_for_a_second_look(nina: Person, cases: CaseStore) -> None:
    """They are saved and shown with the doubt; only a second press sends them."""
    case = await put_draft(cases)

    where = await press(nina, case, "edit", text="You get a refund today.", send="1")

    after = await cases.load(case.id)
    assert (after.status, after.outgoing) == (Status.DRAFTED, None)
    assert "Nothing in the knowledge base promises a refund today." in (await nina.get(where)).text


async def test_a_text_too_long_is_refused_and_kept(nina: Person, cases: CaseStore) -> None:
    """What somebody typed is still there to shorten."""
    case = await put_draft(cases)
    text = "far too long " * 30

    answer = await nina.post(f"/cases/{case.id}/edit", version=case.version, text=text)

    assert answer.status_code == 422
    assert "too long for X" in answer.text
    assert text in answer.text
    assert await cases.load(case.id) == case


async def test_typing_is_measured_and_checked(nina: Person, cases: CaseStore) -> None:
    """The page asks the server, as only it counts as the platform does."""
    case = await put_draft(cases)

    told = (await nina.post(f"/cases/{case.id}/check", version=case.version, text="damn")).json()

    assert told == {"used": 4, "limit": 280, "objections": ["The text swears."]}


async def test_what_must_be_posted_by_hand_offers_the_way_and_names_the_rule(
    nina: Person, cases: CaseStore
) -> None:
    """No button that X would refuse: copy, open, and say that it is posted."""
    case = await put_draft(cases, permission=BY_HAND)
    assert case.draft is not None

    text = (await nina.get(f"/cases/{case.id}")).text

    assert "Copy &amp; open X" in text
    assert "X refuses replies unless the author mentioned you (rule X1)" in text
    assert "I posted it" in text
    assert "Approve &amp; send" not in text
    refused = await nina.post(
        f"/cases/{case.id}/approve", version=case.version, draft_sha256=case.draft.sha256
    )
    assert refused.status_code == 409
    assert "(rule X1)" in refused.text


async def test_what_is_never_allowed_offers_no_reply(nina: Person, cases: CaseStore) -> None:
    """An author who asked to be left alone is left alone."""
    never = Permission(Way.NEVER, rule="X5", why="the author asked not to be answered")
    case = await put_draft(cases, permission=never)

    text = (await nina.get(f"/cases/{case.id}")).text

    assert "No reply is allowed: the author asked not to be answered (rule X5)." in text
    for button in ("Approve &amp; send", "Copy &amp; open", "I posted it", "Edit the reply"):
        assert button not in text
    assert "Close without a reply" in text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", None, "https://["]
)
async def test_only_a_web_address_becomes_a_link(nina: Person, cases: CaseStore, url: str | None) -> None:
    """A platform's address of a post is data like the rest of it."""
    case = await put_draft(cases, url=url, permission=BY_HAND)

    text = (await nina.get(f"/cases/{case.id}")).text

    assert "target=" not in text
    assert "Copy the reply" in text


async def test_hostile_words_are_shown_and_do_nothing(nina: Person, cases: CaseStore) -> None:
    """Markup is escaped, links are text, and hidden characters are written out."""
    text = "<script>alert(1)</script> https://evil.example \u202egnp\u200b \U000e0041"
    case = await put_draft(cases, text=text, name="<b>Maya</b>\u202e", reply="Hi <i>Maya</i>")

    for path in ("/", f"/cases/{case.id}"):
        page = (await nina.get(path)).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert 'href="https://evil' not in page
        assert "⟦U+202E⟧gnp⟦U+200B⟧ ⟦U+E0041⟧" in page
        assert "<b>Maya" not in page
        assert "\u202e" not in page


async def test_an_alarm_is_acknowledged_once(nina: Person, cases: CaseStore) -> None:
    """A manager's press stops the ladder; the button goes and the promise stays broken."""
    case = await put_draft(cases)
    woken = moves.wake(case, at=NOON + 60 * MINUTE)
    assert woken is not None
    late = await cases.save(woken)
    assert "Acknowledge alarm" in (await nina.get(f"/cases/{case.id}")).text

    await press(nina, late, "hush")

    text = (await nina.get(f"/cases/{case.id}")).text
    assert "Acknowledge alarm" not in text
    assert "alarm acknowledged by Nina" in text


async def test_next_leads_on_from_where_one_is(nina: Person, cases: CaseStore) -> None:
    """Down the queue, from the top again at its end, and home when nothing else waits."""
    rows = await put_morning(cases)

    assert (await nina.get("/next")).headers["location"] == f"/cases/{rows['jonas'].id}"
    after = await nina.get(f"/next?after={rows['jonas'].id}")
    assert after.headers["location"] == f"/cases/{rows['maya'].id}"
    last = await nina.get(f"/next?after={rows['omar'].id}")
    assert last.headers["location"] == f"/cases/{rows['jonas'].id}"


async def test_next_goes_home_when_nothing_waits(nina: Person) -> None:
    """An empty queue is the end of the work."""
    assert (await nina.get("/next")).headers["location"] == "/"


async def test_the_promise_board_counts_what_was_kept_and_missed(nina: Person, cases: CaseStore) -> None:
    """One answered in time, one late, one still owed: 50 % kept, below the target."""
    kept = await put_draft(cases, author="ana", minutes_ago=20)
    missed = await put_draft(cases, author="jonas", minutes_ago=90)
    await put_draft(cases)
    await cases.save(moves.post_by_hand(kept, by="Nina", at=NOON, text="Yes."))
    await cases.save(moves.post_by_hand(missed, by="Nina", at=NOON, text="Sorry."))

    text = (await nina.get("/promises")).text

    assert "50 %" in text
    assert "below target · 1 kept, 1 missed · median wait 55 min" in text
    assert "1</b> due within 60 min" in text


async def test_health_says_what_mends_each_problem(nina: Person, cases: CaseStore) -> None:
    """The same fix lines as `heard doctor`, and how many cases are where."""
    await put_draft(cases)

    text = (await nina.get("/health")).text

    assert "check HEARD_SLACK__BOT_TOKEN in .env" in text
    assert re.search(r"Draft waits for you</dt><dd>1<", text)


async def test_the_switch_stops_sending_and_every_page_says_so(nina: Person, switch: SwitchInMemory) -> None:
    """Paused by name, shown everywhere, resumed by name."""
    await nina.post("/pause")
    assert "Sending is paused." in (await nina.get("/")).text
    await nina.post("/resume")

    assert switch.by == ["Nina", "Nina"]
    assert "Sending is paused." not in (await nina.get("/")).text


async def test_a_case_that_is_not_there_says_so(nina: Person) -> None:
    """In words, on a page, with 404."""
    answer = await nina.get("/cases/C-1")

    assert answer.status_code == 404
    assert "There is no case C-1." in answer.text
    assert (await nina.post("/cases/C-1/take", version=1)).status_code == 404


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 30])
async def test_a_form_without_a_version_does_nothing(nina: Person, cases: CaseStore, version: str) -> None:
    """Every button is bound to what was seen."""
    case = await put_draft(cases)

    answer = await nina.post(f"/cases/{case.id}/take", version=version)

    assert answer.status_code == 422
    assert await cases.load(case.id) == case


async def test_a_case_that_was_taken_can_be_released(nina: Person, cases: CaseStore) -> None:
    """By its address; no page has a button for it. What nobody has is refused in words."""
    case = await put_draft(cases)
    taken = await cases.save(moves.take(case, by="Nina", at=NOON))

    answer = await nina.post(f"/cases/{case.id}/release", version=taken.version)

    assert answer.status_code == 303
    assert "Released. Anybody may take it." in (await nina.get(answer.headers["location"])).text
    released = await cases.load(case.id)
    assert (released.owner, released.moved_by) == (None, "Nina")
    again = await nina.post(f"/cases/{case.id}/release", version=released.version)
    assert again.status_code == 409
    assert "nobody has it" in again.text


@pytest.mark.parametrize("status", list(Status))
async def test_a_case_in_any_status_has_a_page(nina: Person, cases: CaseStore, status: Status) -> None:
    """With the words for where it stands, and no button that its status does not allow."""
    case = in_status(status)
    entry = TimelineEntry(at=NOON, what="hear", by="heard", version=case.version)
    await cases.save(Moved(case=case, timeline=(entry,)))

    answer = await nina.get(f"/cases/{case.id}")

    assert answer.status_code == 200
    assert words.STATUS[status] in answer.text.replace("&#39;", "'")
    for move, name in ((Move.SNOOZE, "snooze"), (Move.REOPEN, "reopen"), (Move.CLOSE, "close")):
        assert (f'/{name}"' in answer.text) == (status in LEGAL[move])


async def test_what_breaks_has_a_number_and_tells_no_secret(cases: CaseStore, clock: ManualClock) -> None:
    """A person can quote the number; the page says nothing of the inside."""

    async def broken() -> list[HealthLine]:
        raise RuntimeError("a secret")

    transport = httpx2.ASGITransport(
        app=create_app(a_desk(cases, clock, health=broken)), raise_app_exceptions=False
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk.test") as http:
        await sign_in(http, "Nina")
        answer = await http.get("/health")

    assert answer.status_code == 500
    assert re.search(r"err-[0-9a-f]{6}", answer.text)
    assert "secret" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


async def test_probes_answer_without_a_session(app: FastAPI) -> None:
    """An orchestrator asks under its own names: alive, but not ready while a check is bad."""
    async with browser(app) as http:
        alive = await http.get("/livez", headers={"Host": "10.0.0.7"})
        ready = await http.get("/readyz", headers={"Host": "10.0.0.7"})

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert ready.json() == {
        "ready": False,
        "bad": ["Slack"],
        "notes": ["X"],
        "why": ["Slack: 401 from slack.com"],
    }


async def test_a_reply_can_be_deleted_from_its_case(nina: Person, cases: CaseStore) -> None:
    """The page offers it under the reply, and the sender is asked to do it (T15)."""
    draft = await put_draft(cases)
    sha256 = draft.draft.sha256 if draft.draft else ""
    case = await cases.save(moves.approve(draft, by="Nina", at=NOON, draft_sha256=sha256))
    case = await cases.save(moves.begin_sending(case, at=NOON, look_at=NOON + MINUTE))
    case = await cases.save(moves.sent(case, reply_id="reply-1", posted_at=NOON, at=NOON, promises=PROMISES))
    page = (await nina.get(f"/cases/{case.id}")).text
    assert "Delete this reply on X" in page

    answer = await nina.post(f"/cases/{case.id}/take-back", version=str(case.version), to="reply-1")
    assert answer.status_code == 303
    assert (await cases.load(case.id)).taking_back == "reply-1"
