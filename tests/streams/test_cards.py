"""What Slack shows and must still be told: each message posted by one, nothing forgotten, people first."""

import asyncio
from datetime import timedelta

from streams.cards import LEASE, Card, CardIndex, Quote, Taken
from streams.connection import Store
from tests.fakes.cases import MINUTE, NOON

SECOND = timedelta(seconds=1)


async def names(cards: CardIndex, count: int = 10) -> list[str]:
    """What is next, and it is given back to be done."""
    taken = await cards.take_dirty(NOON + 60 * MINUTE, count)
    for one in taken:
        await cards.done(one)
    return [one.name for one in taken]


async def take_one(cards: CardIndex, now: timedelta = timedelta(0)) -> Taken:
    (taken,) = await cards.take_dirty(NOON + now, 1)
    return taken


# ── one message ──────────────────────────────────────────────────────────────────────────────────


async def test_one_of_many_posts_a_card(store: Store) -> None:
    """Twenty workers are about to; one is let."""
    cards = CardIndex(store)
    let = await asyncio.gather(*(cards.intend("C-64", "C0", NOON) for _ in range(20)))

    assert sum(let) == 1
    assert await cards.of("C-64") == Card("C-64", channel="C0", intent=NOON)


async def test_an_intent_outlives_whoever_had_it_and_only_one_follows_it(store: Store) -> None:
    """It is taken over by whoever knows of it, once."""
    assert await CardIndex(store).intend("C-64", "C0", NOON)
    cards = CardIndex(store)
    assert not await cards.intend("C-64", "C0", NOON + MINUTE)
    later = [await cards.intend("C-64", "C0", NOON + n * MINUTE, after=NOON) for n in (1, 2)]

    assert later == [True, False]
    card = await cards.of("C-64")
    assert card is not None
    assert card.intent == NOON + MINUTE


async def test_what_is_posted_is_not_posted_again(store: Store) -> None:
    """Its place and version are kept, the intent is over, and the trouble that there was."""
    cards = CardIndex(store)
    assert await cards.intend("C-64", "C0", NOON)
    await cards.trouble("C-64", "The channel is archived.")
    assert await cards.posted("C-64", "C0", "17.000001", 3, "abc", at=NOON)

    assert not await cards.intend("C-64", "C0", NOON + MINUTE)
    assert await cards.of("C-64") == Card("C-64", "C0", "17.000001", 3, "abc", shown_at=NOON)


async def test_an_older_version_is_not_taken_for_the_newest(store: Store) -> None:
    """Somebody slept, woke up and drew what they had."""
    cards = CardIndex(store)
    await cards.posted("C-64", "C0", "17.000001", 3, at=NOON)

    assert not await cards.posted("C-64", "C0", "17.000001", 2, "old", at=NOON)
    assert await cards.of("C-64") == Card("C-64", "C0", "17.000001", 3, shown_at=NOON)
    assert await cards.posted("C-64", "C0", "17.000001", 3, "new", at=NOON)


async def test_trouble_is_kept_in_words(store: Store) -> None:
    """Also for what was never posted; and a refused post is no intent."""
    cards = CardIndex(store)
    await cards.intend("C-64", "C0", NOON)
    await cards.drop_intent("C-64")
    await cards.trouble("C-64", "The app is not in the channel.")

    assert await cards.of("C-64") == Card("C-64", "C0", trouble="The app is not in the channel.")
    await cards.forget("C-64")
    assert await cards.of("C-64") is None


# ── what is dirty ────────────────────────────────────────────────────────────────────────────────


async def test_people_come_first_then_whoever_waits_longest(store: Store) -> None:
    """And each once, however often it is said."""
    cards = CardIndex(store)
    for minute, name in enumerate(("C-1", "C-2", "C-3", "C-1")):
        await cards.dirty(name, at=NOON + minute * MINUTE)
    await cards.dirty("C-4", at=NOON + 9 * MINUTE, urgent=True)
    await cards.dirty("C-3", at=NOON + 10 * MINUTE, urgent=True)

    assert await cards.waiting() == 4
    assert await names(cards) == ["C-4", "C-3", "C-1", "C-2"]
    assert await cards.waiting() == 0


async def test_what_comes_in_the_same_instant_keeps_its_order(store: Store) -> None:
    """Three hundred in one burst."""
    cards = CardIndex(store)
    said = [f"C-{(n * 7919) % 1000}" for n in range(300)]
    for name in said:
        await cards.dirty(name, at=NOON)

    assert await names(cards, 300) == said


async def test_what_is_taken_is_nobody_elses(store: Store) -> None:
    """Until its taker is taken for dead."""
    cards = CardIndex(store)
    await cards.dirty("C-1", at=NOON, urgent=True)
    first = await take_one(cards)
    assert await cards.take_dirty(NOON + LEASE - SECOND, 5) == []
    second = await take_one(cards, LEASE)

    assert (second.name, second.urgent, second.token == first.token) == ("C-1", True, False)


async def test_a_taker_that_comes_back_from_the_dead_settles_nothing(store: Store) -> None:
    """The case stays dirty with whoever has it now."""
    cards = CardIndex(store)
    await cards.dirty("C-1", at=NOON)
    first = await take_one(cards)
    second = await take_one(cards, LEASE)
    await cards.done(first)
    await cards.later(first, NOON)
    assert await cards.waiting() == 1
    assert await cards.take_dirty(NOON + LEASE, 5) == []

    await cards.done(second)
    assert await cards.waiting() == 0


async def test_what_changes_while_it_is_drawn_is_drawn_again(store: Store) -> None:
    """Done is said of what was taken, not of what came since; and a person's change is first again."""
    cards = CardIndex(store)
    await cards.dirty("C-1", at=NOON)
    await cards.dirty("C-2", at=NOON)
    taken = await take_one(cards)
    await cards.dirty("C-1", at=NOON + SECOND, urgent=True)
    await cards.done(taken)

    assert await names(cards) == ["C-1", "C-2"]


async def test_what_is_always_dirty_lets_others_by(store: Store) -> None:
    """What changes while it is drawn goes behind what waits already."""
    cards = CardIndex(store)
    await cards.dirty("C-1", at=NOON)
    await cards.dirty("C-2", at=NOON + SECOND)
    taken = await take_one(cards, MINUTE)
    await cards.dirty("C-1", at=NOON + 2 * SECOND)
    await cards.dirty("C-1", at=NOON + 3 * SECOND)
    await cards.done(taken)

    assert await names(cards) == ["C-2", "C-1"]


async def test_what_is_put_off_comes_back_in_its_turn(store: Store) -> None:
    """Not before its time; and at once when somebody changes it."""
    cards = CardIndex(store)
    for number in (1, 2, 3):
        await cards.dirty(f"C-{number}", at=NOON + number * SECOND)
    for taken in await cards.take_dirty(NOON, 2):
        await cards.later(taken, NOON + 10 * MINUTE)
    await cards.dirty("C-2", at=NOON + MINUTE)

    early = await cards.take_dirty(NOON + 9 * MINUTE, 5)
    assert [taken.name for taken in early] == ["C-2", "C-3"]
    assert [taken.name for taken in await cards.take_dirty(NOON + 10 * MINUTE, 5)] == ["C-1", "C-2", "C-3"]


async def test_two_loops_share_what_is_dirty(store: Store) -> None:
    """Two hundred changes, each drawn by one of them."""
    cards = CardIndex(store)
    for number in range(200):
        await cards.dirty(f"C-{number}", at=NOON)
    drawn = list[str]()

    async def loop() -> None:
        while taken := await cards.take_dirty(NOON, 7):
            drawn.extend(one.name for one in taken)
            await asyncio.gather(*(cards.done(one) for one in taken))

    await asyncio.gather(loop(), loop())

    assert sorted(drawn) == sorted(f"C-{n}" for n in range(200))
    assert await cards.waiting() == 0


# ── quotes, boards, floods ───────────────────────────────────────────────────────────────────────


async def test_every_message_that_quotes_a_mention_is_found(store: Store) -> None:
    """Cards and lines, each once, until they are redacted."""
    cards = CardIndex(store)
    card, line = Quote("C0", "17.000001", "C-64"), Quote("C0", "17.000002")
    for quote in (card, line, card):
        assert not await cards.quotes(["x:post-1", "x:post-2"], quote)
    await cards.quotes_no_more("x:post-1", card)

    assert await cards.quoting("x:post-1") == [line]
    assert await cards.quoting("x:post-2") == [card, line]
    assert await cards.quoting("x:post-3") == []


async def test_a_message_that_comes_after_its_mention_went_is_told_so(store: Store) -> None:
    """Whichever of two of its mentions went."""
    cards = CardIndex(store)
    await cards.gone("x:post-2")

    assert await cards.quotes(["x:post-1", "x:post-2"], Quote("C0", "17.000001"))
    assert not await cards.quotes(["x:post-1"], Quote("C0", "17.000001"))


async def test_places_on_a_board_are_kept(store: Store) -> None:
    """Whoever is put there twice has one place."""
    cards = CardIndex(store)
    places = [await cards.gather("late", name) for name in ("C-9", "C-1", "C-9", "C-5")]

    assert places == [1, 2, 1, 3]
    assert await cards.gathered("late") == ["C-9", "C-1", "C-5"]
    assert await cards.gathered("other") == []


async def test_a_matter_stays_on_the_board_that_it_was_first_meant_for(store: Store) -> None:
    """However much later it is told."""
    cards = CardIndex(store)

    assert await cards.settled_on("C-1 first hour", "late at noon") == "late at noon"
    assert await cards.settled_on("C-1 first hour", "late at one") == "late at noon"


async def test_an_intent_is_found_again_to_the_millisecond(store: Store) -> None:
    """Whatever fraction of a second it was made at."""
    cards = CardIndex(store)
    for number in range(50):
        at = NOON + timedelta(microseconds=number * 20_483)
        assert await cards.intend(f"C-{number}", "C0", at)
        card = await cards.of(f"C-{number}")
        assert card is not None
        assert await cards.intend(f"C-{number}", "C0", at + MINUTE, after=card.intent)


async def test_what_a_flood_holds_back_is_kept_in_order_by_channel(store: Store) -> None:
    """And let go once."""
    cards = CardIndex(store)
    for minute, name in enumerate(("C-2", "C-1", "C-2")):
        await cards.hold_back("C0", name, at=NOON + minute * MINUTE)

    assert await cards.held_back("C0") == ["C-2", "C-1"]
    assert [await cards.turn_in_flood("C0", name) for name in ("C-1", "C-3")] == [(True, 2), (False, 2)]
    assert [await cards.let_go("C0", "C-1") for _ in range(2)] == [True, False]
    assert not await cards.let_go("C0")
    assert await cards.held_back("C0") == ["C-2"]
    assert await cards.held_back("C1") == []
