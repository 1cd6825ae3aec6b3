"""A person is forgotten: not one byte of theirs is found anywhere, wherever it all died meanwhile."""

import json
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from casework import moves
from casework.case import Case, Status
from casework.mention import Author, Mention
from config.customer import HomeFiles, as_json, write_export
from config.logs import set_up_logs
from platforms.platform import Heard, Unreadable
from streams.cards import CardIndex, Quote
from streams.connection import Store, open_store
from streams.forgetting import Known, People, Person
from streams.presses import PressBox
from tests.fakes.deaths import Killed, dies_before_call
from tests.fakes.remains import everything
from tests.stories.conftest import MORNING, World, a_world

TEXTS = (
    "Où est ma valise à Orly, nom d'un pétard‽ kx1",
    "Мой чемодан потеряли в Шереметьево kx2",
    "我的行李箱在浦东机场不见了 kx3",
    "حقيبتي ضاعت في مطار دبي kx4",
    "🧳😡👨‍👩‍👧‍👦 where is it?! kx5",
)
AUTHOR = Author("did:plc:zq7marker4711", "zoé.marker-4711.example", "Zoé Wørkmårker 行")
WANDA = Person("bluesky", AUTHOR.id)
QUOTED = "She wrote: 我的行李箱在浦东机场不见了 kx3"
MARKERS = [*TEXTS, AUTHOR.id, AUTHOR.handle, AUTHOR.name, "kx-draft-quote", "kx-note", "kx-line", "kx-press"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A HEARD_HOME of its own, logging at its most talkative."""
    return tmp_path / "home"


@pytest.fixture
async def kept(home: Path) -> AsyncIterator[Store]:
    async with open_store(None, home / "store") as opened:
        yield opened


async def wrote(world: World, number: int, text: str, author: Author = AUTHOR) -> Case:
    """A person posts on Bluesky, where a post's id holds its author's."""
    key = f"at://{author.id}/app.bsky.feed.post/{number}"
    mention = Mention(
        "bluesky", key, author, text, world.clock.now(), url=f"https://bsky.app/profile/{author.handle}"
    )
    await world.line.listener("story").take_in([Heard(mention, str(number))])
    await world.settle()
    case_id = await world.line.cases.case_of(mention.key, author.id)
    assert case_id
    return await world.line.cases.load(case_id)


async def lived(world: World, store: Store, home: Path) -> list[Case]:
    """A morning in which a person's words come to be everywhere that Heard keeps anything."""
    cases = [await wrote(world, n, text) for n, text in enumerate(TEXTS)]
    answered, edited, noted, *_ = cases
    mine = await world.write_draft(answered, f"Zoé Wørkmårker 行, {TEXTS[0]} kx-draft-quote", "Nina")
    await world.approve(mine, "Nina")
    await world.write_draft(edited, QUOTED, "Nina")
    case = await world.look(noted)
    await world.line.cases.save(
        moves.note(case, by="Nina", at=world.clock.now(), text=f"{QUOTED} kx-note {AUTHOR.handle}")
    )
    raw = json.dumps({"user": {"id": AUTHOR.id}, "text": f"{TEXTS[1]} kx-line"}, ensure_ascii=False)
    await world.line.listener("story").take_in([Unreadable("feed.jsonl:7", raw, "no date", "99")])
    cards = CardIndex(store)
    for mention in (case.last, edited.last):
        await cards.quotes([mention.key], Quote("C1", "17.1", case.id))
        await cards.dirty(f"gone:{mention.key}", at=world.clock.now())
    press = json.dumps({"case": case.id, "text": f"kx-press {TEXTS[3]}"}, ensure_ascii=False)
    await PressBox(store).put("press-1", press.encode())
    known = await People(store, world.clock).known(WANDA)
    write_export(known, home / "exports" / "zoe.json", force=False)
    rows = [{"text": said, "intent": "bug"} for said in (TEXTS[2], "somebody else's words")]
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    (home / "exports" / "feedback.jsonl").write_text(lines)
    # Their first post was deleted once already: its key is among what Slack may not show.
    await cards.gone(answered.last.key)
    return cases


async def found(store: Store, home: Path) -> list[str]:
    held = await everything(store, home)
    # As it is, and as JSON may spell it.
    spelled = [(one, one.encode(), json.dumps(one)[1:-1].encode()) for one in MARKERS]
    return [one for one, plain, escaped in spelled if plain in held or escaped in held]


def people(store: Store, world: World, home: Path) -> People:
    return People(store, world.clock, elsewhere=HomeFiles(home))


async def test_no_byte_of_a_forgotten_person_is_found_anywhere(kept: Store, home: Path) -> None:
    """Before, every one of them is: so the search can find. Logs are at their most talkative."""
    set_up_logs(home, level="debug")
    with a_world(kept, home) as world:
        cases = await lived(world, kept, home)
        assert await found(kept, home) == MARKERS
        assert [one for one in TEXTS if one.encode() in (home / "logs" / "heard.log").read_bytes()] == []
        done = await people(kept, world, home).forget(WANDA, by="Mona")

        assert await found(kept, home) == []
        assert (done.cases, done.letters, done.waiting, done.written_anew) == (len(cases), 1, (), True)
        assert "somebody else's words" in (home / "exports" / "feedback.jsonl").read_text()
        assert {(await world.look(case)).status for case in cases} == {Status.ERASED}
        assert len(world.record.every()) == 1


async def test_what_remains_is_times_and_marks_and_the_figures_still_add_up(kept: Store, home: Path) -> None:
    """That there was a case, when, whether its promise was kept; and who at the desk did what."""
    with a_world(kept, home) as world:
        case = (await lived(world, kept, home))[0]
        before = await world.look(case)
        await people(kept, world, home).forget(WANDA, by="Mona")
        now, timeline = await world.look(case), await world.line.cases.timeline(case.id)

        assert now.last.created_at == before.last.created_at
        assert [p.state for p in now.promises] == [p.state for p in before.promises if p.settled_at]
        assert [entry.by for entry in timeline][-1] == "Mona"
        assert (
            now.replies[0].answers
            == now.last.key
            == world.record.every()[0].platform + ":" + (world.record.every()[0].in_reply_to)
        )


async def test_an_old_post_that_comes_again_opens_nothing(kept: Store, home: Path) -> None:
    """Neither one that was heard, nor one of before that is heard only now; what they write later does."""
    with a_world(kept, home) as world:
        await lived(world, kept, home)
        late = Mention("bluesky", f"at://{AUTHOR.id}/post/late", AUTHOR, TEXTS[4], world.clock.now())
        again = Mention(
            "bluesky", f"at://{AUTHOR.id}/app.bsky.feed.post/0", AUTHOR, TEXTS[0], MORNING + timedelta(days=9)
        )
        await people(kept, world, home).forget(WANDA, by="Mona")
        await world.line.listener("story").take_in([Heard(again, "200"), Heard(late, "201")])
        await world.settle()
        assert await found(kept, home) == []
        world.clock.advance(timedelta(minutes=1))
        new = await wrote(world, 300, "A new matter")

        assert new.status is not Status.ERASED


async def test_whoever_asked_not_to_be_answered_is_not_answered_after_being_forgotten(
    kept: Store, home: Path
) -> None:
    """The opt-out outlives the forgetting, as a mark (X5)."""
    with a_world(kept, home) as world:
        await lived(world, kept, home)
        await world.line.cases.opt_out("bluesky", AUTHOR.id)
        await people(kept, world, home).forget(WANDA, by="Mona")

        assert await world.line.cases.opted_out("bluesky", AUTHOR.id)
        assert not await world.line.cases.opted_out("bluesky", "did:plc:other")
        assert await found(kept, home) == []


async def test_forgetting_again_changes_nothing(kept: Store, home: Path) -> None:
    """And says that nothing was known, and since when."""
    with a_world(kept, home) as world:
        await lived(world, kept, home)
        who = people(kept, world, home)
        await who.forget(WANDA, by="Mona")
        known, done = await who.known(WANDA), await who.forget(WANDA, by="Mona")

        assert (known.nothing, done.cases, await who.asked()) == (True, 0, 0)
        assert known.forgotten_at == world.clock.now()


async def test_a_reply_under_way_is_neither_lost_nor_sent_twice(kept: Store, home: Path) -> None:
    """The case waits until its fate is known; then the clock forgets it. All the rest goes at once."""
    with a_world(kept, home) as world:
        cases = await lived(world, kept, home)
        case = await world.look(cases[1])
        assert case.draft is not None
        now = world.clock.now()
        case = await world.line.cases.save(
            moves.approve(case, by="Nina", at=now, draft_sha256=case.draft.sha256)
        )
        case = await world.line.cases.save(
            moves.begin_sending(case, at=now, look_at=now + timedelta(minutes=1))
        )
        # It was posted, and whoever posted it died before the record.
        assert case.outgoing is not None
        world.record.add(case.last, case.outgoing, now)
        who = people(kept, world, home)
        done = await who.forget(WANDA, by="Mona")
        assert done.waiting == (case.id,)
        assert await who.carry_out() == 0
        await world.pass_time(3)
        settled = await world.look(case)
        assert (settled.status, len(settled.replies)) == (Status.ANSWERED, 1)
        assert await who.carry_out() == 1

        assert await found(kept, home) == []
        assert await who.asked() == 0
        assert len(world.record.every()) == 2


@pytest.mark.parametrize("seed", range(6))
async def test_killed_anywhere_and_asked_again_it_completes(
    kept: Store, home: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Each seed dies at three calls to the store of its own; then one more, and all is gone."""
    luck, deaths = random.Random(seed), 0
    with a_world(kept, home) as world:
        await lived(world, kept, home)
        for _ in range(3):
            with monkeypatch.context() as patch:
                dies_before_call(luck.randrange(1, 200), kept, patch)
                try:
                    await people(kept, world, home).forget(WANDA, by="Mona")
                except Killed:
                    deaths += 1
        assert deaths > 0
        # Whoever runs next, the clock or a person, needs to know nothing of it.
        if luck.random() < 0.5 and await people(kept, world, home).asked():
            await people(kept, world, home).carry_out()
        else:
            await people(kept, world, home).forget(WANDA, by="Mona")

        assert await found(kept, home) == []
        assert await people(kept, world, home).asked() == 0


def test_the_export_is_plain_and_whole() -> None:
    """A version, the person, their cases with every word: what Art. 15 asks for."""
    empty = as_json(Known(WANDA))

    assert (empty["heard"], empty["version"], empty["cases"]) == ("customer", 1, [])
