"""A desk for tests: given values, a switch in memory, and a queue like a real morning's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from casework import moves
from casework.case import Case
from casework.classification import Intent, Sentiment, Urgency
from casework.clock import Clock
from casework.decisions import Hard
from casework.draft import Draft, Source
from casework.mention import Author
from casework.reply import Permission, Way
from streams import topics
from streams.case_store import CaseStore
from tests.fakes.cases import BY_HAND, MAY_SEND, MINUTE, NOON, PROMISES, a_mention, judged
from webdesk.desk import Desk, HealthLine

TOKEN = "api-token"
LOGIN = "one-time-token"
LIMITS = {"x": 280, "bluesky": 300, "mastodon": 500, "reddit": 10_000}


class SwitchInMemory:
    """The kill switch, remembering who pressed it."""

    def __init__(self) -> None:
        self.by: list[str] = []
        self.stopped = False

    async def paused(self) -> bool:
        """Whether it is off."""
        return self.stopped

    async def pause(self, by: str) -> None:
        """Off."""
        self.stopped = True
        self.by.append(by)

    async def resume(self, by: str) -> None:
        """On."""
        self.stopped = False
        self.by.append(by)


def checked(case: Case, text: str) -> Sequence[str]:
    """Against swearing for certain, against promises of money as advice."""
    found: list[str] = []
    if "damn" in text:
        found.append(Hard("The text swears."))
    if "refund today" in text:
        found.append("Nothing in the knowledge base promises a refund today.")
    return found


def measured(platform: str, text: str) -> tuple[int, int]:
    """Characters, with each platform's own limit."""
    return len(text), LIMITS.get(platform, 500)


async def healthy() -> Sequence[HealthLine]:
    """One of each."""
    return (
        HealthLine("Store", "ok", "embedded, 1.2 MB on disk"),
        HealthLine("X", "warn", "replies work only when the author mentions @auroraair"),
        HealthLine("Slack", "bad", "401 from slack.com", "check HEARD_SLACK__BOT_TOKEN in .env"),
    )


async def summed() -> Mapping[str, object]:
    """What the demo prints."""
    return {"mentions": 5, "answered": 2}


def a_desk(cases: CaseStore, clock: Clock, **changes: object) -> Desk:
    """A desk at desk.test over a store."""
    desk = Desk(
        store=cases,
        clock=clock,
        promises=PROMISES,
        brand="Aurora Air",
        timezone="Europe/Oslo",
        token=TOKEN,
        login_token=LOGIN,
        hosts=frozenset({"desk.test"}),
        check=checked,
        measure=measured,
        health=healthy,
        summary=summed,
        switch=SwitchInMemory(),
        live=True,
        speed=0.0,
    )
    return replace(desk, **changes)  # type: ignore[arg-type]  # each caller names real fields


async def put_draft(
    cases: CaseStore,
    *,
    author: str = "maya",
    name: str = "Maya R.",
    number: int = 1,
    text: str = "My bag is lost!",
    reply: str = "Hi Maya, we are looking for it.",
    platform: str = "x",
    minutes_ago: int = 0,
    permission: Permission = MAY_SEND,
    intent: Intent = Intent.COMPLAINT,
    sentiment: Sentiment = Sentiment.NEGATIVE,
    urgency: Urgency = Urgency.HIGH,
    url: str | None = "https://example.com/post/1",
    followers: int = 1200,
) -> Case:
    """A case in the store whose draft waits for people."""
    at = NOON - minutes_ago * MINUTE
    mention = a_mention(
        number,
        text,
        platform=platform,
        id=f"post-{author}-{number}",
        author=Author(id=author, handle=author, name=name, followers=followers),
        created_at=at,
        url=url,
    )
    (case_id,) = await cases.new_ids([mention])
    heard = moves.hear(mention, case_id=case_id, at=at, promises=PROMISES)
    judgement = judged(urgency=urgency, intent=intent, sentiment=sentiment)
    classified = moves.classify(heard.case, judgement, at=at, promises=PROMISES)
    draft = Draft(
        id=f"draft-{case_id}", text=reply, answers=mention.key, sources=(Source("KB-12", "Delayed bags"),)
    )
    why = "complaints about baggage always need a person"
    proposed = moves.propose(classified.case, draft, permission=permission, rule="refunds", why=why, at=at)
    for moved in (heard, classified, proposed):
        case = await cases.save(moved)
    return case


async def put_morning(cases: CaseStore) -> dict[str, Case]:
    """A queue like a real morning's, by who wrote."""
    rows = {
        "jonas": await put_draft(
            cases,
            author="jonas.bsky.social",
            name="Jonas",
            platform="bluesky",
            minutes_ago=63,
            text="Great crew today on AU18, where can I tell them?",
            reply="Hi Jonas, thank you! Tell them at the link in our profile; we pass it on the same day.",
            intent=Intent.PRAISE,
            sentiment=Sentiment.POSITIVE,
            urgency=Urgency.NORMAL,
        ),
        "maya": await put_draft(
            cases,
            minutes_ago=43,
            text="@auroraair third time asking!! My refund for AU412 was promised in 5 days, it has been "
            "three weeks. Is there a human there?",
            reply="Hi Maya, I'm sorry: three weeks is far beyond the five days we promised. I have asked our "
            "refunds team to look at AU412 today. Please send us your booking reference by direct message.",
        ),
        "sky": await put_draft(
            cases,
            author="skyhopper",
            name="u/skyhopper",
            platform="reddit",
            minutes_ago=14,
            text="is the app down? error 503 on login",
            reply="Hi, yes: sign-in fails for some people since 12:40. We will say here when it works.",
            intent=Intent.BUG,
            sentiment=Sentiment.NEUTRAL,
            permission=Permission(Way.BY_HAND, rule="R1", why="Reddit has not approved API access"),
        ),
        "ana": await put_draft(
            cases,
            author="ana@mastodon.social",
            name="Ana",
            platform="mastodon",
            minutes_ago=4,
            text="Can I bring a folding bike as cabin baggage?",
            reply="Hi Ana, a folding bike in a bag counts as checked sports baggage: up to 23 kg, 40 EUR.",
            intent=Intent.QUESTION,
            sentiment=Sentiment.NEUTRAL,
            urgency=Urgency.NORMAL,
        ),
        "omar": await put_draft(
            cases,
            author="omar",
            name="عمر",
            minutes_ago=2,
            text="رحلتي تأخرت ست ساعات ولا أحد يجيب",
            permission=BY_HAND,
        ),
    }
    sky = rows["sky"]
    rows["sky"] = await cases.save(moves.take(sky, by="Nina", at=NOON))
    return rows


def later(minutes: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=minutes)


def partition_mate(case_id: str) -> str:
    """An id that no case has, in the same partition as one that has."""
    return topics.case_id(9999, topics.partition_of_case(case_id))
