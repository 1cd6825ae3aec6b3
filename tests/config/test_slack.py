"""The doctor's look at Slack, the manifest, the practice card, and requests by HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from casework.clock import SystemClock
from casework.errors import HeardError
from casework.spikes import SLOT, Over, Spike
from config.brand import Brand, load_brand
from config.places import Place, demo_brand
from config.settings import read_settings
from config.slack import SCOPES, SlackSide, examine_slack, slack_side
from config.slack_try import manifest, preview, try_channel
from streams.budget import SharedBudget
from streams.connection import Store
from streams.spikes import News
from tests.fakes.slack_office import Office
from tests.fakes.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer, open_slack
from tests.fakes.slack_wire import signed
from tests.fakes.waiting import until
from tests.webdesk.desks import put_draft

SECRET = "a-signing-secret"


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    """The workspace of the demo's brand."""
    async with open_slack() as opened:
        opened.channel("C0SOCIAL", "social-care")
        opened.channel("C0MANAGERS", "social-leads")
        nina = opened.person("Nina")
        opened.group("S0CARE", "social-care", [nina])
        opened.group("S0LEADS", "social-leads", [nina])
        yield opened


async def states(slack: SlackServer, brand: Brand, **changes: str | None) -> list[tuple[str, str, str]]:
    given: dict[str, str | None] = {"token": BOT_TOKEN, "app_token": APP_TOKEN, **changes}
    checks = await examine_slack(brand, token=given["token"], app_token=given["app_token"], api_url=slack.url)
    return [(check.state, check.words, check.fix) for check in checks]


async def test_the_doctor_finds_nothing_wrong_where_nothing_is(slack: SlackServer) -> None:
    """The workspace, both channels, and who may approve."""
    found = await states(slack, demo_brand())

    assert {state for state, _, _ in found} == {"ok"}
    assert any("1 may approve" in words for _, words, _ in found)


async def test_each_trouble_has_its_remedy(slack: SlackServer) -> None:
    """No token, a revoked one, a scope that lacks, a channel that is not there, nobody to approve."""
    brand = demo_brand()
    ((state, _, fix),) = await states(slack, brand, token=None)
    assert (state, "heard slack manifest" in fix) == ("bad", True)

    assert any("APP_TOKEN" in words for _, words, _ in await states(slack, brand, app_token=None))

    slack.tokens[BOT_TOKEN].scopes.discard("channels:history")
    assert any("channels:history" in words for _, words, _ in await states(slack, brand))
    slack.tokens[BOT_TOKEN].scopes.add("channels:history")

    slack.groups.clear()
    assert any("team › roles" in words for _, words, _ in await states(slack, brand))

    for channel_id in [c.id for c in slack.channels.values() if c.name == "social-leads"]:
        del slack.channels[channel_id]
    assert any("#social-leads" in words and s == "bad" for s, words, _ in await states(slack, brand))

    slack.revoke()
    ((state, words, fix),) = await states(slack, brand)
    assert state == "bad"
    assert words
    assert fix


@pytest.fixture
async def side(slack: SlackServer, store: Store) -> AsyncIterator[SlackSide]:
    """The Slack side of the demo's brand."""
    clock = SystemClock()
    made = slack_side(
        demo_brand(),
        store,
        clock=clock,
        budget=SharedBudget(store, clock),
        token=BOT_TOKEN,
        app_token=APP_TOKEN,
        api_url=slack.url,
    )
    yield made
    await made.web.close()


async def test_the_doctor_names_the_line_of_who_is_on_a_ladder_and_not_in_slack(
    slack: SlackServer, tmp_path: Path
) -> None:
    """Nobody would hear of a broken promise there."""
    path = tmp_path / "brand.yaml"
    ladder = '    ladder:\n      - {after: 0m, to: "@nina"}\n      - {after: 15m, to: "@ghost"}\n'
    promises = f"promises:\n  - name: first hour\n    within: 1h\n{ladder}"
    path.write_text(f'brand: {{name: A}}\n{promises}team: {{slack: {{channel: "#social-care"}}}}\n')

    wrong = [words for state, words, _ in await states(slack, load_brand(path)) if state == "bad"]

    assert wrong[0].startswith("brand.yaml:7: promises › first hour › ladder › #2 › to: @ghost: ")
    assert not any("@nina" in words for words in wrong)


async def test_health_says_what_is_wrong_with_cards(
    side: SlackSide, slack: SlackServer, store: Store
) -> None:
    """A login that is refused, beside the connections that nobody opened yet."""
    slack.revoke()
    case = await put_draft(side.cases)
    await side.index.dirty(case.id, at=SystemClock().now())
    await side.delivery.step()
    sockets, cards = await side.health()

    assert (sockets.state, sockets.words) == ("bad", "0 of 2 connections listen")
    assert (cards.state, "token was revoked" in cards.words) == ("warn", True)


async def test_people_are_pinged_by_their_ids(side: SlackSide) -> None:
    """A person, a group, everybody on duty; a name that Slack does not know is a name."""
    whom = side.herald.whom
    assert await whom("Nina") == ["U0NINA"]
    assert await whom("@social-leads") == ["S0LEADS"]
    assert await whom("everybody on duty") == ["S0CARE"]
    assert await whom("Grandma") == ["Grandma"]


async def test_managers_hear_of_a_ladder_that_leads_nowhere(
    slack: SlackServer, side: SlackSide, tmp_path: Path
) -> None:
    """Where they are, with the line; what was in force goes on."""
    path = tmp_path / "brand.yaml"
    ladder = '[{after: 0m, to: "#nowhere"}]'
    path.write_text(
        f"brand: {{name: A}}\npromises:\n  - {{name: first hour, within: 1h, ladder: {ladder}}}\n"
    )

    await side.check_ladders(load_brand(path))
    await side.check_ladders(demo_brand())

    (told,) = slack.messages("C0MANAGERS")
    assert "brand.yaml:3: promises › first hour › ladder › #1 › to: #nowhere" in json.dumps(
        told.blocks, ensure_ascii=False
    )


async def test_a_brand_without_slack_hears_nothing_of_it(slack: SlackServer, tmp_path: Path) -> None:
    """No line at all."""
    path = tmp_path / "brand.yaml"
    path.write_text("schema: 1\nbrand: {name: Aurora}\n")

    assert await states(slack, load_brand(path), token=None) == []


def test_the_manifest_asks_for_what_the_doctor_looks_for() -> None:
    """Five permissions, the socket, and a link that makes the app."""
    made, link = manifest("Aurora")
    parsed = json.loads(made)

    assert set(parsed["oauth_config"]["scopes"]["bot"]) == SCOPES
    assert parsed["settings"]["socket_mode_enabled"] is True
    assert link.startswith("https://api.slack.com/apps?new_app=1&manifest_json=")


@pytest.mark.parametrize("part", ["card", "modal", "alert", "home", "digest"])
async def test_a_preview_is_a_link_to_slacks_own_builder(part: str, tmp_path: Path) -> None:
    """With blocks in it."""
    place = Place(read_settings(environ={"HEARD_HOME": str(tmp_path)}, folder=tmp_path).settings, tmp_path)
    link = await preview(part, demo_brand(), place, clock=SystemClock())

    assert link.startswith("https://app.slack.com/block-kit-builder/#%7B")
    assert "blocks" in link


@pytest.mark.timeout(60)
async def test_the_practice_card_waits_for_a_click_and_publishes_nothing(
    slack: SlackServer, tmp_path: Path
) -> None:
    """Nina presses a button of it, and the command ends well."""
    environ = {
        "HEARD_HOME": str(tmp_path),
        "HEARD_SLACK__BOT_TOKEN": BOT_TOKEN,
        "HEARD_SLACK__APP_TOKEN": APP_TOKEN,
        "HEARD_SLACK__API_URL": slack.url.rstrip("/"),
    }
    place = Place(read_settings(environ=environ, folder=tmp_path).settings, tmp_path)
    said = list[str]()
    trying = asyncio.create_task(
        try_channel("#social-care", demo_brand(), place, clock=SystemClock(), say=said.append)
    )
    await until(lambda: bool(said) and bool(slack.socket.connections), "the practice card", within_s=20)
    (card,) = slack.messages("C0SOCIAL")
    buttons = [element for block in card.blocks for element in block.get("elements", [])]
    press = next(e["action_id"] for e in buttons if str(e.get("action_id", "")).startswith("practice."))
    await slack.people["U0NINA"].clicks(card, press)

    assert await trying is True


async def test_managers_read_of_a_spike_where_charts_are_not_drawn_too(
    slack: SlackServer, store: Store
) -> None:
    """Its beginning as a chart or as a table, and its end; who cannot be told is told later."""
    clock, noon = SystemClock(), datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
    side = slack_side(
        demo_brand(),
        store,
        clock=clock,
        budget=SharedBudget(store, clock),
        token=BOT_TOKEN,
        api_url=slack.url,
    )
    slack.limits.post_every_s = None
    spike = Spike(noon, noon + SLOT * 3, 103, 91, usual=17.0, ratio=6.1, angry=True)
    begun = News(spike.at, spike=spike, counts=((noon, 40, 5.7), (noon + SLOT, 63, 5.7)), paused=True)
    over = News(noon, over=Over(noon, noon + SLOT * 9, 300, 200, 6.1, angry=True), paused=True)

    await side.tell_spike(begun)
    slack.refused_blocks.add("data_visualization")
    await side.tell_spike(begun)
    await side.tell_spike(over)

    drawn, plain, ended = slack.messages("C0MANAGERS")
    types = [{block["type"] for block in message.blocks} for message in (drawn, plain)]
    assert ["data_visualization" in kinds for kinds in types] == [True, False]
    assert "paused until somebody resumes them" in plain.text
    assert "over after 45 min" in ended.text
    slack.revoke()
    with pytest.raises(HeardError):
        await side.tell_spike(begun)
    await side.web.close()


async def test_requests_by_http_are_signed_or_refused(
    slack: SlackServer, store: Store, unused_tcp_port: int
) -> None:
    """Nothing that is forged gets in."""
    clock = SystemClock()
    side = slack_side(
        demo_brand(),
        store,
        clock=clock,
        budget=SharedBudget(store, clock),
        token=BOT_TOKEN,
        api_url=slack.url,
        signing_secret=SECRET,
        listen=f"127.0.0.1:{unused_tcp_port}",
    )
    assert side.http is not None
    serving = asyncio.create_task(side.http())
    url, body = f"http://127.0.0.1:{unused_tcp_port}/slack/events", "payload=%7B%7D"
    stamp = int(clock.now().timestamp())
    try:
        async with aiohttp.ClientSession() as http:
            statuses = []
            for secret in ("another", SECRET):
                for _ in range(50):
                    with suppress(aiohttp.ClientConnectorError):
                        headers = signed(body, stamp, secret)
                        async with http.post(url, data=body, headers=headers) as answer:
                            statuses.append(answer.status)
                            break
                    await asyncio.sleep(0.05)
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        await side.web.close()

    assert statuses[0] == 401
    assert statuses[1] != 401


async def test_a_press_that_was_left_behind_waits_until_it_is_known_who_may(
    slack: SlackServer, store: Store
) -> None:
    """A restart finds it in its box before Slack has said who approves: it is carried out, not refused."""
    clock = SystemClock()
    office = Office(slack, store, clock, {})  # type: ignore[arg-type]  # only asked for the time
    case = await office.case()
    card = await office.card(case)
    slack.socket.patience_s = 0.05
    await office.presses(slack.person("Nina").clicks(card, "card.approve"))
    slack.latency_s = 0.2
    side = slack_side(
        demo_brand(),
        store,
        clock=clock,
        budget=SharedBudget(store, clock),
        token=BOT_TOKEN,
        api_url=slack.url,
    )
    task = asyncio.create_task(side.run())
    while await side.desk.box.waiting():  # noqa: ASYNC110 (a store tells nobody)
        await asyncio.sleep(0.02)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await side.web.close()
    await office.web.close()

    assert await office.moved(case, "approve") == 1
