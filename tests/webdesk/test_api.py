"""The JSON API: what a program reads, what it may do, and how it is told that it may not."""

import json
from datetime import timedelta

import httpx2
import pytest

from casework import moves
from casework.case import Case, Status
from casework.clock import ManualClock
from casework.decisions import Hard, objections
from streams.case_store import CaseStore
from tests.fakes.cases import BY_HAND, MINUTE, NOON
from tests.webdesk.desks import a_desk, partition_mate, put_draft, put_morning

V1 = "/api/v1"


async def test_a_case_is_told_whole(api: httpx2.AsyncClient, cases: CaseStore) -> None:
    """One case has its version, status, mentions, labels, draft with sources, promises and timeline."""
    case = await put_draft(cases)
    assert case.draft is not None

    told = (await api.get(f"{V1}/cases/{case.id}")).json()

    assert told["version"] == 3
    assert told["status"] == "drafted"
    assert told["standing"] == "On time"
    assert told["platform"] == "x"
    assert told["mentions"][0]["text"] == "My bag is lost!"
    assert told["classification"]["intent"] == "complaint"
    assert told["draft"]["text"] == case.draft.text
    assert told["draft"]["sha256"] == case.draft.sha256
    assert told["draft"]["sources"] == [{"id": "KB-12", "title": "Delayed bags"}]
    assert [promise["name"] for promise in told["promises"]] == ["first hour", "same day"]
    assert [entry["what"] for entry in told["timeline"]] == ["hear", "classify", "draft"]


async def test_an_approval_makes_the_new_case(api: httpx2.AsyncClient, cases: CaseStore) -> None:
    """Approving the text that was read answers with the approved case and changes the store."""
    case = await put_draft(cases)
    assert case.draft is not None
    body = {"version": case.version, "draft_sha256": case.draft.sha256, "by": "Nina"}

    answer = await api.post(f"{V1}/cases/{case.id}/approve", json=body)

    assert answer.status_code == 200
    assert answer.json()["status"] == "approved"
    assert answer.json()["version"] == case.version + 1
    assert answer.json()["outgoing"]["decided_by"] == "Nina"
    assert (await cases.load(case.id)).status is Status.APPROVED


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("edit", {"text": "Hi Maya, found it."}, "drafted"),
        ("reject", {"reason": "too cold"}, "held"),
        ("take", {}, "drafted"),
        ("snooze", {"until": (NOON + 30 * MINUTE).isoformat()}, "snoozed"),
        ("await", {"reason": "waiting for the customer"}, "drafted"),
        ("close", {"reason": "solved by phone"}, "closed"),
        ("note", {"text": "I know her"}, "drafted"),
    ],
)
async def test_each_move_answers_with_the_new_case(
    api: httpx2.AsyncClient, cases: CaseStore, action: str, body: dict[str, str], status: str
) -> None:
    """Every other move does what its name says, and the timeline says who."""
    case = await put_draft(cases)

    answer = await api.post(
        f"{V1}/cases/{case.id}/{action}", json={"version": case.version, "by": "Nina", **body}
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == status
    assert answer.json()["timeline"][-1]["by"] == "Nina"


async def test_a_case_that_waits_says_for_what_until_it_goes_on(
    api: httpx2.AsyncClient, cases: CaseStore
) -> None:
    """A program sees the pause, and that it is over."""
    case = await put_draft(cases)
    body = {"version": case.version, "by": "Nina", "reason": "waiting for the customer"}
    waits = (await api.post(f"{V1}/cases/{case.id}/await", json=body)).json()
    assert (waits["pause"]["by"], waits["pause"]["reason"]) == ("Nina", "waiting for the customer")

    goes = await api.post(f"{V1}/cases/{case.id}/go-on", json={"version": waits["version"], "by": "Omar"})
    assert (goes.status_code, goes.json()["pause"]) == (200, None)


async def test_who_comes_second_is_told_who_won(
    api: httpx2.AsyncClient, cases: CaseStore, clock: ManualClock
) -> None:
    """The loser of a click gets 409, the winner's name, the present version, and a sentence."""
    case = await put_draft(cases)
    assert case.draft is not None
    body = {"version": case.version, "draft_sha256": case.draft.sha256}
    await api.post(f"{V1}/cases/{case.id}/approve", json={**body, "by": "Nina"})
    clock.advance(timedelta(seconds=20))

    answer = await api.post(f"{V1}/cases/{case.id}/approve", json={**body, "by": "Omar"})

    assert answer.status_code == 409
    told = answer.json()
    assert told["won_by"] == "Nina"
    assert told["version"] == case.version + 1
    assert told["message"] == "Nina already approved this 20 seconds ago, so your click did nothing."


async def test_a_clock_that_only_looked_takes_no_click_away(
    api: httpx2.AsyncClient, cases: CaseStore
) -> None:
    """A promise that turned at risk since the page was read changed nothing that was decided on."""
    case = await put_draft(cases)
    assert case.draft is not None
    woken = moves.wake(case, at=NOON + 50 * MINUTE)
    assert woken is not None
    await cases.save(woken)

    answer = await api.post(
        f"{V1}/cases/{case.id}/approve",
        json={"version": case.version, "draft_sha256": case.draft.sha256, "by": "Nina"},
    )

    assert answer.status_code == 200


async def test_a_note_in_between_must_be_read_first(api: httpx2.AsyncClient, cases: CaseStore) -> None:
    """What a person did since counts, even when it changed no status."""
    case = await put_draft(cases)
    assert case.draft is not None
    await cases.save(moves.note(case, by="Omar", at=NOON, text="do not send, she phoned"))

    answer = await api.post(
        f"{V1}/cases/{case.id}/approve",
        json={"version": case.version, "draft_sha256": case.draft.sha256, "by": "Nina"},
    )

    assert answer.status_code == 409
    assert answer.json()["won_by"] == "Omar"


async def test_a_version_that_never_was_is_a_conflict(api: httpx2.AsyncClient, cases: CaseStore) -> None:
    """A version from the future cannot slip through as untouched."""
    case = await put_draft(cases)

    answer = await api.post(f"{V1}/cases/{case.id}/take", json={"version": 99, "by": "Nina"})

    assert answer.status_code == 409
    assert answer.json()["version"] == case.version


async def test_an_approval_covers_only_the_text_that_was_read(
    api: httpx2.AsyncClient, cases: CaseStore
) -> None:
    """Another fingerprint than the draft's is refused, whoever sends it."""
    case = await put_draft(cases)

    answer = await api.post(
        f"{V1}/cases/{case.id}/approve",
        json={"version": case.version, "draft_sha256": "0" * 64, "by": "Nina"},
    )

    assert answer.status_code == 409
    assert answer.json()["error"] == "text changed"
    assert (await cases.load(case.id)).status is Status.DRAFTED


async def test_a_draft_that_the_checks_refuse_is_not_approved(
    api: httpx2.AsyncClient, cases: CaseStore
) -> None:
    """Whoever wrote it: what may not be saved as an edit may not go out as a draft."""
    case = await put_draft(cases, reply="damn")
    assert case.draft is not None

    answer = await api.post(
        f"{V1}/cases/{case.id}/approve",
        json={"version": case.version, "draft_sha256": case.draft.sha256, "by": "Nina"},
    )

    assert answer.status_code == 422
    assert answer.json()["problems"] == ["The text swears."]


async def test_a_text_too_long_is_said_once(cases: CaseStore, clock: ManualClock) -> None:
    """When the check names the limit itself, the desk does not name it again."""
    case = await put_draft(cases)

    def too_long(_case: Case, _text: str) -> list[str]:
        return [Hard("the reply is too long: 281 / 280")]

    found = objections(a_desk(cases, clock, check=too_long).circumstances(), case, "x" * 281)

    assert found == ["The reply is too long: 281 / 280."]
    assert isinstance(found[0], Hard)


async def test_what_a_platform_forbids_is_refused_with_its_rule(
    api: httpx2.AsyncClient, cases: CaseStore
) -> None:
    """X1 says that a person must post this; the API says so too."""
    case = await put_draft(cases, permission=BY_HAND)
    assert case.draft is not None

    answer = await api.post(
        f"{V1}/cases/{case.id}/approve",
        json={"version": case.version, "draft_sha256": case.draft.sha256, "by": "Nina"},
    )

    assert answer.status_code == 409
    assert answer.json()["rule"] == "X1"
    assert "(rule X1)" in answer.json()["message"]


async def test_a_move_that_makes_no_sense_now_is_refused(api: httpx2.AsyncClient, cases: CaseStore) -> None:
    """A closed case cannot be snoozed, at whatever version."""
    case = await put_draft(cases)
    closed = await cases.save(moves.close(case, by="Nina", at=NOON, reason="done"))

    until = (NOON + MINUTE).isoformat()
    answer = await api.post(
        f"{V1}/cases/{case.id}/snooze", json={"version": closed.version, "by": "Omar", "until": until}
    )

    assert answer.status_code == 409
    assert answer.json()["message"] == "This case is closed, so it cannot be snoozed."


@pytest.mark.parametrize(
    ("action", "body", "said"),
    [
        ("take", {"by": "Nina"}, "version: this is missing."),
        ("take", {"version": 3}, "by: this is missing."),
        ("take", {"version": 3, "by": "  "}, "Say who you are"),
        ("take", {"version": 3, "by": "heard"}, "the bot's own"),
        ("take", {"version": "three", "by": "Nina"}, "version: it should be a valid integer."),
        ("take", {"version": 3, "by": "Nina", "txet": "x"}, "txet: there is no such field."),
        ("approve", {"version": 3, "by": "Nina"}, "needs draft_sha256"),
        ("edit", {"version": 3, "by": "Nina", "text": " "}, "The text is empty."),
        ("edit", {"version": 3, "by": "Nina", "text": "x" * 281}, "1 too long for X: 281 of 280"),
        ("edit", {"version": 3, "by": "Nina", "text": "damn"}, "The text swears."),
        ("reject", {"version": 3, "by": "Nina"}, "Give a reason"),
        ("await", {"version": 3, "by": "Nina"}, "Say what the case waits for"),
        ("snooze", {"version": 3, "by": "Nina"}, "Say until when."),
        ("snooze", {"version": 3, "by": "Nina", "until": "2026-11-03T11:00:00Z"}, "That time is past"),
        ("snooze", {"version": 3, "by": "Nina", "until": "2026-11-03T13:00:00"}, "timezone"),
        ("snooze", {"version": 3, "by": "Nina", "until": "9999-12-31T23:59:59-12:00"}, "at most 90 days"),
        ("edit", {"version": 3, "by": "Nina", "text": "\ud800"}, "text: "),
        ("take", {"version": 3, "by": "\ud800"}, "by: "),
        ("take", {"version": 3.5, "by": "Nina"}, "version: "),
        ("take", {"version": True, "by": "Nina"}, "version: "),
        ("take", {"version": 0, "by": "Nina"}, "version: "),
    ],
)
async def test_a_wrong_body_is_answered_in_plain_sentences(
    api: httpx2.AsyncClient, cases: CaseStore, action: str, body: dict[str, object], said: str
) -> None:
    """422 says what to mend, and the case stays as it was."""
    case = await put_draft(cases)

    # Written by hand, as a half of a surrogate pair cannot be sent as UTF-8.
    answer = await api.post(
        f"{V1}/cases/{case.id}/{action}",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 422, answer.text
    assert said in answer.json()["message"]
    assert await cases.load(case.id) == case


async def test_what_is_not_json_is_answered_in_a_plain_sentence(
    api: httpx2.AsyncClient, cases: CaseStore
) -> None:
    """A broken body is the caller's to mend."""
    case = await put_draft(cases)

    answer = await api.post(
        f"{V1}/cases/{case.id}/take", content=b"{", headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422
    assert answer.json()["message"] == "The body is not JSON."


@pytest.mark.parametrize("case_id", ["C-1", "C-0", "C-99999999999999999", "nonsense", "C-1%2F..", "C-१"])
async def test_a_case_that_is_not_there_is_404(
    api: httpx2.AsyncClient, cases: CaseStore, case_id: str
) -> None:
    """Reading and moving an unknown case both say so in JSON."""
    read = await api.get(f"{V1}/cases/{case_id}")
    moved = await api.post(f"{V1}/cases/{case_id}/take", json={"version": 1, "by": "Nina"})

    assert (read.status_code, moved.status_code) == (404, 404)
    assert read.headers["content-type"] == "application/json"
    assert read.json()["message"]


async def test_a_neighbour_that_does_not_exist_is_404(api: httpx2.AsyncClient, cases: CaseStore) -> None:
    """An id of a partition in use is no more a case than any other."""
    case = await put_draft(cases)

    assert (await api.get(f"{V1}/cases/{partition_mate(case.id)}")).status_code == 404


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic api-token", "Bearer ", "api-token"])
async def test_without_the_token_nothing_is_told(
    stranger: httpx2.AsyncClient, cases: CaseStore, header: str | None
) -> None:
    """Every address of the API needs the bearer token."""
    case = await put_draft(cases)
    headers = {"Authorization": header} if header else {}
    paths = ("health", "summary", "cases", f"cases/{case.id}")
    for path in paths:
        answer = await stranger.get(f"{V1}/{path}", headers=headers)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
    moved = await stranger.post(f"{V1}/cases/{case.id}/take", json={"version": 3, "by": "x"}, headers=headers)
    assert moved.status_code == 401


async def test_a_cookie_does_not_open_the_api(nina_cookie: httpx2.AsyncClient) -> None:
    """A browser's session is no API token: a page on another site could use it."""
    assert (await nina_cookie.get(f"{V1}/cases")).status_code == 401


async def test_pages_of_cases_hold_every_case_once(api: httpx2.AsyncClient, cases: CaseStore) -> None:
    """Following the cursor visits all cases, newest first, and ends."""
    rows = await put_morning(cases)
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await api.get(f"{V1}/cases", params=params)).json()
        seen += [case["id"] for case in page["cases"]]
        cursor = page["cursor"]
        if cursor is None:
            break

    assert seen == [rows[name].id for name in ("omar", "ana", "sky", "maya", "jonas")]


async def test_a_list_is_filtered_by_status(api: httpx2.AsyncClient, cases: CaseStore) -> None:
    """Several statuses may be asked for, by repeating or with commas."""
    case = await put_draft(cases)
    await cases.save(moves.close(case, by="Nina", at=NOON, reason="done"))
    other = await put_draft(cases, author="ana")

    drafted = (await api.get(f"{V1}/cases", params={"status": "drafted"})).json()
    both = (await api.get(f"{V1}/cases?status=drafted,held&status=closed")).json()

    assert [found["id"] for found in drafted["cases"]] == [other.id]
    assert {found["id"] for found in both["cases"]} == {case.id, other.id}


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=many", "cursor=nonsense", "cursor=²:C-1", "cursor=:", "status=late"],
)
async def test_a_wrong_question_is_422(api: httpx2.AsyncClient, cases: CaseStore, query: str) -> None:
    """A limit, cursor or status that cannot be is named."""
    answer = await api.get(f"{V1}/cases?{query}")

    assert answer.status_code == 422
    assert answer.json()["message"]


async def test_health_and_summary_are_what_the_desk_was_given(
    api: httpx2.AsyncClient, cases: CaseStore
) -> None:
    """Health is bad as soon as one check is; the summary is passed through."""
    health = (await api.get(f"{V1}/health")).json()

    assert health["ok"] is False
    assert health["checks"][2]["fix"] == "check HEARD_SLACK__BOT_TOKEN in .env"
    assert (await api.get(f"{V1}/summary")).json() == {"mentions": 5, "answered": 2}


async def test_the_api_describes_itself(stranger: httpx2.AsyncClient, cases: CaseStore) -> None:
    """The OpenAPI description names every address and nothing but the API."""
    told = (await stranger.get(f"{V1}/openapi.json")).json()

    actions = ("approve", "edit", "reject", "take", "snooze", "await", "go-on", "close", "note")
    expected = {f"{V1}/health", f"{V1}/summary", f"{V1}/cases", f"{V1}/cases/{{case_id}}"}
    assert set(told["paths"]) == expected | {f"{V1}/cases/{{case_id}}/{action}" for action in actions}


async def test_an_address_that_is_not_there_is_told_in_json(api: httpx2.AsyncClient) -> None:
    """Programs get no HTML."""
    answer = await api.get(f"{V1}/nothing")

    assert answer.status_code == 404
    assert answer.json()["error"] == "not found"
