"""Somebody's App Home: their queue, most urgent first; on the first day a checklist and a practice case.

A row's words of the customer stand in plain text. Home is drawn anew each time it is opened, so here
"18 min left" may be said; the line above says as of when.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from casework.case import Case, Standing, Status, due_next
from casework.classification import Classification, Confidence, Intent, Sentiment, Urgency
from casework.draft import Draft, Source
from casework.mention import Author, Mention
from casework.reply import Permission, Way
from casework.sla import MetBy, Promise, PromiseState
from casework.words import SHAPES, visible
from escalation import cards
from escalation.cards import DOT, Look, first_name, full_name, lasted, moment, stands_at
from escalation.slack_payload import (
    SNIPPET,
    Block,
    Payload,
    View,
    actions,
    button,
    context,
    cut,
    divider,
    esc,
    header,
    option,
    overflow,
    plain,
    section,
    select,
    value_of,
    web,
)

ROWS: Final = 15
"""How many cases a page shows."""

SHOWS: Final = {
    "mine": "Mine first",
    "unassigned": "Unassigned",
    "risk": "Late and at risk",
    "everybody": "Everybody's",
    "snoozed": "Snoozed",
}
"""What of the queue can be shown."""

_EMPTY: Final = {
    "mine": "*Nothing waits for you.*\nNew cases come here by themselves, the most urgent first.",
    "unassigned": "*Everything has an owner.*\nA case is yours once you press _Assign to me_ on its card.",
    "risk": "*Every promise is on time.*\nA case shows here once little of its time is left.",
    "everybody": "*No case waits.*\nNew ones come by themselves. A practice case shows what one is like.",
    "snoozed": "*Nothing is snoozed.*\n_Snooze_ on a card lets a case rest; its promises do not rest.",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What somebody looks at: which part of the queue, and which page of it, from 0."""

    show: str = "mine"
    number: int = 0

    @property
    def value(self) -> str:
        """What the buttons and the private metadata of Home carry."""
        return json.dumps({"f": self.show, "p": self.number}, separators=(",", ":"))


def read_page(raw: object) -> Page:
    """What Home carried; the first page of one's own for anything else."""
    try:
        fields = json.loads(raw) if isinstance(raw, str) and len(raw) < 100 else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, Mapping):
        return Page()
    show, number = fields.get("f"), fields.get("p")
    if isinstance(show, str) and show in SHOWS and type(number) is int and 0 <= number < 10_000:
        return Page(show, number)
    return Page()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the first day's checklist: what, whether it is done, and what to do if it is not."""

    words: str
    done: bool
    fix: str = ""


# ── the queue ────────────────────────────────────────────────────────────────────────────────────


def queue(
    cases: Sequence[Case], look: Look, *, you: str, page: Page = Page(), kept: float | None = None
) -> View:
    """The cases that wait for people, as somebody sees them.

    ``you`` is the name under which they own cases; ``kept`` is today's share of promises kept, 0 to 1.
    """
    waiting = [case for case in cases if case.open]
    parts = _parts(waiting, look, page.show, you)
    listed = [(heading, case) for heading, found in parts for case in found]
    last = max(0, (len(listed) - 1) // ROWS)
    page = replace(page, number=min(page.number, last))
    on_it = listed[page.number * ROWS : (page.number + 1) * ROWS]
    blocks = [
        header("Your queue", "h"),
        context("t", _counts(waiting, look, you, kept)),
        _buttons(waiting, page),
    ]
    blocks += _rows(on_it, look) if on_it else _nothing(page.show)
    blocks += _pager(page, len(on_it), len(listed), look)
    return View("home", tuple(blocks), "home", private_metadata=page.value)


def _parts(cases: Sequence[Case], look: Look, show: str, you: str) -> list[tuple[str, list[Case]]]:
    stands = {case.id: stands_at(case, look.now) for case in cases}
    ordered = sorted(cases, key=lambda case: _rank(case, stands[case.id]))
    awake = [case for case in ordered if stands[case.id] is not Standing.SNOOZED]
    if show == "mine":
        return [
            ("Yours", [case for case in awake if case.owner == you]),
            ("Unassigned, most urgent first", [case for case in awake if not case.owner]),
        ]
    return {
        "unassigned": [("Unassigned, most urgent first", [case for case in awake if not case.owner])],
        "risk": [(SHOWS["risk"], [c for c in awake if stands[c.id] in (Standing.LATE, Standing.AT_RISK)])],
        "snoozed": [("Snoozed", [case for case in ordered if case.status is Status.SNOOZED])],
    }.get(show, [("Everybody's, most urgent first", ordered)])


def _rank(case: Case, stands: Standing) -> tuple[int, float, str]:
    """Late first, then by the promise that is due first; what rests or is owed nothing last."""
    promise = due_next(case)
    if promise is None or stands is Standing.SNOOZED:
        return (2, case.opened_at.timestamp(), case.id)
    return (0 if stands is Standing.LATE else 1, promise.due_at.timestamp(), case.id)


def _counts(cases: Sequence[Case], look: Look, you: str, kept: float | None) -> str:
    stands = [stands_at(case, look.now) for case in cases]
    counted = {
        "yours": sum(case.owner == you for case in cases),
        "unassigned": sum(not case.owner for case in cases),
        "late": stands.count(Standing.LATE),
        "at risk": stands.count(Standing.AT_RISK),
        "not sent": stands.count(Standing.NOT_SENT),
    }
    told = [f"{number} {words}" for words, number in counted.items()]
    if kept is not None:
        told.append(f"today {round(100 * kept)} % of promises kept")
    return DOT.join([*told, f"updated {moment(look.now, look)}"])


def _buttons(cases: Sequence[Case], page: Page) -> Block:
    options = {show: option(words, Page(show).value) for show, words in SHOWS.items()}
    row = [
        select("home.filter", "Show…", list(options.values()), options.get(page.show)),
        button("Refresh", "home.refresh", page.value, label="Draw this page anew"),
        overflow(
            "home.more",
            [
                option("Practice case", "practice"),
                option("Health check", "health"),
                option("How this works", "help"),
            ],
        ),
    ]
    if any(not case.owner for case in cases):
        label = "Assign the most urgent unassigned case to me and open it"
        row.insert(0, button("Take the next one", "home.next", page.value, style="primary", label=label))
    return actions("a", *row)


def _rows(listed: Sequence[tuple[str, Case]], look: Look) -> list[Block]:
    blocks: list[Block] = []
    heading = ""
    for above, case in listed:
        if above != heading:
            blocks += [divider(), section(f"*{above}*", f"part{len(blocks)}")]
            heading = above
        blocks += _row(case, look)
    return blocks


def _row(case: Case, look: Look) -> list[Block]:
    judged, what = case.classification, "not judged yet"
    if judged is not None:
        what = DOT.join([str(judged.intent), *(esc(topic, 40) for topic in judged.topics[:3])])
    owner = f"{DOT}{esc(case.owner, 40)}" if case.owner else ""
    label = f"Open case {case.id}, {judged.intent if judged else 'not judged'}"
    opens = button("Open", "home.open", value_of(case), label=label)
    words = cut(" ".join(visible(cards.shown(case).text).split()), SNIPPET)
    said = f"“{words}”" if words else "the author deleted this post"
    return [
        section(f"{_state(case, look)}{DOT}{what}{owner}", f"r:{case.id}:{case.version}", opens),
        context(f"w:{case.id}:{case.version}", plain(full_name(case)), plain(said)),
    ]


def _state(case: Case, look: Look) -> str:
    stands = stands_at(case, look.now)
    head, promise = f"{SHAPES[stands][1]} {stands}", due_next(case)
    if promise is None:
        return head
    left = promise.due_at - look.now
    late = left <= timedelta(0)
    return f"{head}{DOT}*{lasted(-left if late else left)} {'late' if late else 'left'}*"


def _nothing(show: str) -> list[Block]:
    practice = button("Show me a practice case", "practice.show", "practice", label="Open a practice case")
    return [divider(), section(_EMPTY.get(show, _EMPTY["everybody"]), "empty"), actions("try", practice)]


def _pager(page: Page, shown: int, of: int, look: Look) -> list[Block]:
    row: list[Block] = []
    if page.number:
        row.append(button("Previous page", "home.previous", replace(page, number=page.number - 1).value))
    if page.number * ROWS + shown < of:
        row.append(button("Next page", "home.page", replace(page, number=page.number + 1).value))
    address = web(look.desk_url)
    if address:
        row.append(button("Open the desk", "link.desk", page.value, url=address))
    first = page.number * ROWS
    told = [context("p", f"Showing {first + 1} to {first + shown} of {of}")] if shown else []
    return [*told, actions("pg", *row)] if row else told


# ── the first day ────────────────────────────────────────────────────────────────────────────────


def first_run(look: Look, steps: Sequence[Step], *, promises: Sequence[str] = (), guide: str = "") -> View:
    """What stands in Home until the first case: what Heard does, what is set up, what to do next.

    ``promises`` are the brand's, in words; ``guide`` is the address of the setup guide.
    """
    owed = "\n".join(f"• {esc(words, 100)}" for words in promises[:8])
    told = (
        f"I watch what people say about {esc(look.brand, 80)}, draft replies, and see that what was "
        "promised is kept.\nNothing is published unless a person approves it, or your policy says so."
    )
    done = all(step.done for step in steps)
    blocks = [header("Welcome to Heard", "h"), section(told, "s")]
    if owed:
        blocks.append(section(f"*What you promise*\n{owed}", "o"))
    if steps:
        lines = "\n".join(_step(step) for step in steps[:12])
        blocks.append(section(f"*{'All is set up' if done else 'Set up'}*\n{lines}", "c"))
    practice = button(
        "Show me a practice case", "practice.show", "practice", style="primary", label="Open a practice case"
    )
    row = [practice, button("Check again", "home.refresh", Page().value, label="Look again what is set up")]
    address = web(guide)
    if address:
        row.append(button("Open the setup guide", "link.guide", "guide", url=address))
    blocks.append(actions("a", *row))
    blocks.append(context("p", "A practice case looks like a real one, and nothing of it is ever published"))
    return View("home", tuple(blocks), "home", private_metadata=Page().value)


def _step(step: Step) -> str:
    fix = f" – {esc(step.fix, 160)}" if step.fix and not step.done else ""
    return f"{'✔' if step.done else '☐'} {esc(step.words, 100)}{fix}"


def practice_case(look: Look) -> Case:
    """A made-up customer, to learn on. No store knows this case."""
    post = Mention(
        platform="practice",
        id="1",
        author=Author(id="practice", handle="practice", name="Maya Practice", followers=120),
        text=f"Third time I ask, {look.brand}: where is my refund? It was promised in five days.",
        created_at=look.now - timedelta(minutes=42),
    )
    promise = Promise(
        name="first hour",
        mention=post.key,
        met_by=MetBy.REPLY,
        started_at=post.created_at,
        due_at=post.created_at + timedelta(hours=1),
        state=PromiseState.AT_RISK,
    )
    reply = "Hi Maya, I am sorry: that is far too long. Could you send us your booking reference by message?"
    return Case(
        id="C-0",
        platform=post.platform,
        author=post.author,
        opened_at=post.created_at,
        mentions=(post,),
        status=Status.DRAFTED,
        classification=Classification(
            Sentiment.NEGATIVE, Intent.COMPLAINT, Urgency.HIGH, Confidence(0.91, 0.94, 0.81)
        ),
        draft=Draft(id="practice", text=reply, answers=post.key, sources=(Source("KB-0", "Refunds"),)),
        permission=Permission(Way.SEND),
        promises=(promise,),
        rule="practice",
        why="rule practice",
    )


def practice_card(look: Look) -> Payload:
    """The practice case as a card: marked, and with buttons that carry nothing to decide by."""
    return cards.card(practice_case(look), replace(look, practice=True))


def practised(action: str, look: Look) -> str:
    """What somebody reads who pressed a button of the practice card, in mrkdwn of our own."""
    told = {
        "approve": "would have approved exactly the text that you saw, and Heard would have sent it",
        "edit": "would have opened a dialog to write in",
        "reject": "would have asked why; the next draft takes your reason to heart",
        "take": "would have made the case yours, and your colleagues would see it",
        "snooze": "would have let the case rest, while its promise went on",
    }.get(action.removeprefix("practice."), "would have opened the same dialog as on a real card")
    return f"Practice: on a real case this {told}. {first_name(practice_case(look))} got nothing."
