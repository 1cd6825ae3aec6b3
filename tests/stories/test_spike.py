"""A bad morning: complaints pour in, Heard stops speaking by itself, managers hear of it, Nina decides."""

from datetime import timedelta

from casework.case import Case, Status
from casework.classification import Intent, Sentiment, Urgency
from casework.spikes import SLOT
from config.doctor import for_brand, for_store
from streams.connection import Store
from streams.volume import Volume
from tests.fakes.cases import judged
from tests.stories.conftest import World

CANCELLED = judged(Urgency.HIGH, Intent.COMPLAINT, Sentiment.NEGATIVE, topics=("cancellation",))


async def complains(world: World, number: int) -> Case:
    """A customer whose flight is cancelled: others than all before."""
    text = f"@auroraair AU412 is cancelled, seat {number}, what now?"
    return await world.write(text, judged=CANCELLED, author=f"flyer-{number}")


async def test_a_burst_of_complaints_pauses_acknowledgements_until_nina_resumes(
    world: World, store: Store
) -> None:
    """The first are acknowledged; then people take over; managers are told once; Nina lets them go on."""
    await world.settle()
    known = timedelta(days=1, minutes=15)
    for number in range(known // SLOT):
        await Volume(store).count(world.clock.now() + number * SLOT, 1, 0)
    world.clock.advance(known)
    first = await complains(world, 0)
    assert (await world.look(first)).replies[0].automatic

    for number in range(1, 19):
        await complains(world, number)
    await world.pass_time(5)
    late = await complains(world, 19)

    assert (late.status, world.customer_sees(late)) == (Status.HELD, [])
    assert "Automatic replies are paused" in late.why
    assert "times the usual" in late.why
    (news,) = world.managers.spikes
    assert news.spike is not None
    assert (news.spike.angry, news.paused) == (True, True)
    paused = [check for check in await for_store(store) if check.name == "automatic"]
    assert [(check.state, check.fix) for check in paused] == [("warn", "heard resume")]

    assert not any("pause_when" in check.words for check in for_brand(world.line.brand))

    await world.line.switch.resume("Nina")
    # The caps of the hour hold all the while: nineteen went out before.
    await world.pass_time(61)
    after = await complains(world, 20)

    assert (await world.look(after)).replies[0].automatic
    assert len(world.managers.spikes) == 1
