"""`heard slack`: the manifest of the app, one practice card that somebody clicks, and how cards look."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final
from urllib.parse import quote

from casework.clock import Clock
from casework.errors import HeardError
from config.brand import Brand
from config.init import manifest_for, slack_link
from config.places import Place
from config.slack import digest_of, slack_side
from escalation import boards, cards, dialogs, home
from escalation.boards import BreachRow, Frame
from escalation.slack_payload import Payload, View
from streams.budget import SharedBudget
from streams.case_store import CaseStore
from streams.connection import open_store
from streams.presses import PressBox

BUILDER: Final = "https://app.slack.com/block-kit-builder/#"
WAIT_S: Final = 120.0
PARTS: Final = ("card", "modal", "alert", "digest", "home")
PRACTICE: Final = b'"practice.'


def manifest(brand: str) -> tuple[str, str]:
    """The app's manifest, and the address that makes the app with one click."""
    made = manifest_for(brand)
    return made, slack_link(made)


async def try_channel(
    channel: str,
    brand: Brand,
    place: Place,
    *,
    clock: Clock,
    say: Callable[[str], None],
) -> bool:
    """Post one practice card and wait for a click; whether one came. Nothing can be published by it.

    Raises:
        HeardError: Slack is not set up, or refuses.
    """
    given = place.settings.slack
    if given.bot_token is None or given.app_token is None:
        raise HeardError(
            "set HEARD_SLACK__BOT_TOKEN and HEARD_SLACK__APP_TOKEN first: heard doctor says where from"
        )
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(place.redis_url, place.folder / "store"))
        side = slack_side(
            brand,
            store,
            clock=clock,
            budget=SharedBudget(store, clock),
            token=given.bot_token.get_secret_value(),
            app_token=given.app_token.get_secret_value(),
            api_url=given.base_url,
            channel=channel,
            name="slack-test",
        )
        stack.push_async_callback(side.web.close)
        if side.sockets is None:
            return False
        listening = asyncio.create_task(side.sockets.run())
        try:
            sent = await side.web.post(
                await side.web.channel_id(channel), home.practice_card(side.desk.look())
            )
            say(f"A practice card is in {channel} ({sent.ts}). Press any of its buttons.")
            async with asyncio.timeout(WAIT_S):
                await _practised(side.desk.box)
        except TimeoutError:
            return False
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    return True


async def _practised(box: PressBox) -> None:
    """Return once somebody pressed a button of the practice card; real presses are left to `heard up`."""
    while True:
        for stored in await box.take("slack-test"):
            if PRACTICE in stored.body:
                await box.settle(stored.entry)
                return


async def preview(part: str, brand: Brand, place: Place, *, clock: Clock) -> str:
    """A link that shows one of Heard's messages in Slack's own Block Kit Builder.

    Raises:
        HeardError: there is no such part.
    """
    if part not in PARTS:
        raise HeardError(f"there is no {part}: choose {', '.join(PARTS)}")
    look = cards.Look(
        now=clock.now(),
        brand=brand.name,
        timezone=brand.timezone,
        desk_url=None,
        measure=lambda _platform, text: (len(text), 280),
        link=lambda _case: None,
    )
    case, frame = home.practice_case(look), Frame(clock.now(), brand.timezone)
    if part == "card":
        return _link(cards.card(case, look))
    if part == "alert":
        return _link(boards.breach_board([BreachRow(case)], frame))
    if part == "home":
        return _link(home.first_run(look, ()))
    if part == "modal":
        return _link(dialogs.edit(case, look, dialogs.Place("", "")))
    async with open_store(place.redis_url, place.folder / "store") as store:
        return _link(await digest_of(CaseStore(store), brand, clock))


def _link(shown: Payload | View) -> str:
    if isinstance(shown, View):
        return BUILDER + quote(json.dumps(shown.as_json(), ensure_ascii=False))
    return BUILDER + quote(json.dumps({"blocks": list(shown.blocks)}, ensure_ascii=False))
