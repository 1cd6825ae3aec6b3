"""Where the product runs: a brand of one platform, and the settings that lead to a platform of ours."""

from collections.abc import Mapping
from typing import Final

from casework import moves
from casework.case import Move, Moved
from casework.clock import SystemClock
from casework.draft import Draft, Source
from casework.mention import Author, Mention
from streams import topics
from streams.case_store import CaseStore
from tests.fakes import bluesky_server, mastodon_server, reddit_server, x_server
from tests.fakes.cases import MAY_SEND, PROMISES, a_mention, judged
from tests.fakes.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer

CLOCK: Final = SystemClock()
"""The product's processes have no other: everything here takes the time that it takes."""

BRAND: Final = """schema: 1
brand: {{name: Aurora Air, handles: {{{name}: {handle}}}, watch: [aurora air]}}
automatic: {{enabled: true}}
platforms: {{{name}: {{{part}}}}}
"""
LABELLED: Final = "reply: when_mentioned, labelled: true"
PARTS: Final[Mapping[str, str]] = {
    "bluesky": LABELLED,
    "mastodon": LABELLED,
    "x": f"{LABELLED}, approval_reference: case 1",
    "reddit": f"{LABELLED}, listen: [aviation], reply_in: [aviation], approval_reference: case 1",
}
HANDLES: Final[Mapping[str, str]] = {
    "bluesky": bluesky_server.handle_of(bluesky_server.BRAND),
    "mastodon": mastodon_server.BRAND,
    "x": "auroraair",
    "reddit": reddit_server.BRAND,
}


def brand_file(name: str, *, stream: bool = False) -> str:
    """A brand that replies on one platform.

    What may be automatic has the profile asked for at the start: the login is over, and the threads that
    the platform's library works in are there, before anything begins that a process dies in.
    """
    streams = "" if name == "reddit" else f", stream: {str(stream).lower()}"
    return BRAND.format(name=name, handle=HANDLES[name], part=PARTS[name] + streams)


def environment(name: str, url: str) -> dict[str, str]:
    """The settings of one platform, at an address of ours."""
    keys = {f"HEARD_X__{key.upper()}": value for key, value in x_server.KEYS.items()}
    of: Mapping[str, dict[str, str]] = {
        "bluesky": {
            "HEARD_BLUESKY__SERVICE_URL": url,
            "HEARD_BLUESKY__APPVIEW_URL": url,
            "HEARD_BLUESKY__JETSTREAM_URL": url.replace("http", "ws", 1) + "/subscribe",
            "HEARD_BLUESKY__HANDLE": HANDLES["bluesky"],
            "HEARD_BLUESKY__APP_PASSWORD": bluesky_server.PASSWORD,
        },
        "mastodon": {"HEARD_MASTODON__URL": url, "HEARD_MASTODON__ACCESS_TOKEN": mastodon_server.TOKEN},
        "x": {"HEARD_X__API_URL": url, "HEARD_X__BEARER_TOKEN": x_server.BEARER, **keys},
        "reddit": {
            "HEARD_REDDIT__API_URL": url,
            "HEARD_REDDIT__AUTH_URL": url,
            "HEARD_REDDIT__CLIENT_ID": reddit_server.CLIENT_ID,
            "HEARD_REDDIT__CLIENT_SECRET": reddit_server.CLIENT_SECRET,
            "HEARD_REDDIT__REFRESH_TOKEN": reddit_server.REFRESH_TOKEN,
            "HEARD_REDDIT__USER_AGENT": "heard/0.1 by u/auroraair",
        },
    }
    return of[name]


CARE: Final = "C0SOCIAL"
LEADS: Final = "C0LEADS"
OFFICE: Final = """schema: 1
brand: {name: Aurora Air, handles: {x: auroraair}, watch: [aurora air]}
platforms: {x: {listen: false, reply: when_mentioned, approval_reference: case 1}}
team:
  roles: {approver: ["@social-care"], manager: ["@social-leads"]}
  slack: {channel: "#social-care", managers: "#social-leads"}
"""
"""A brand whose people decide, at the desk or in Slack. Nothing is sent: nobody runs the sender."""
NOWHERE: Final = "http://127.0.0.1:9"


def office(slack: SlackServer | None = None) -> dict[str, str]:
    """The settings of a brand whose platform nobody asks, and of its Slack."""
    to_slack = {
        "HEARD_SLACK__BOT_TOKEN": BOT_TOKEN,
        "HEARD_SLACK__APP_TOKEN": APP_TOKEN,
        "HEARD_SLACK__API_URL": slack.url.rstrip("/") if slack is not None else "",
    }
    return environment("x", NOWHERE) | (to_slack if slack is not None else {})


def somebody(number: int) -> Mention:
    """A mention on X by an author of its own."""
    author = Author(id=f"maya-{number}", handle=f"maya{number}", name=f"Maya {number}")
    return a_mention(number, author=author, created_at=CLOCK.now())


def drafted(mention: Mention, number: int) -> list[Moved]:
    """The moves of a case that has a draft before people."""
    now, case_id = CLOCK.now(), topics.case_id(number, topics.partition_of_mention(mention))
    text = f"Hi, we are looking for your bag. ({case_id})"
    draft = Draft("draft-1", text, mention.key, sources=(Source("KB-15", "Delayed bags"),))
    heard = moves.hear(mention, case_id=case_id, at=now, promises=PROMISES)
    classified = moves.classify(heard.case, judged(), at=now, promises=PROMISES)
    return [
        heard,
        classified,
        moves.propose(classified.case, draft, permission=MAY_SEND, rule="r", why="", at=now),
    ]


async def twice(cases: CaseStore, move: Move) -> int:
    """How often a move was made that had been made already, over all cases."""
    ids = [case.id async for case in cases.every()]
    made = [sum(entry.what == move for entry in entries) for entries in await cases.timelines(ids)]
    return sum(max(count - 1, 0) for count in made)
