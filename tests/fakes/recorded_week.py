"""Days of mentions and of people who answer them, made by chance through the real moves: stories to count."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from casework import moves
from casework.case import Case, Moved, Status
from casework.classification import Intent, Sentiment, Urgency
from casework.draft import Draft, ReplyKind
from casework.hours import OpeningHours
from casework.mention import Author, Mention
from casework.reply import Outgoing
from casework.sla import Promises
from casework.timeline import TimelineEntry
from streams import topics
from streams.case_store import CaseStore, Write
from tests.fakes.cases import BY_HAND, FIRST_HOUR, MAY_SEND, SAME_DAY, judged

OSLO = Promises((FIRST_HOUR, SAME_DAY), OpeningHours(timezone="Europe/Oslo"))
BEGIN = datetime(2026, 10, 16, 22, 0, tzinfo=UTC)
NOW = datetime(2026, 10, 25, 17, 20, tzinfo=UTC)
"""A Sunday evening; that night the clocks went back, so that the day has 25 hours."""

FOLLOWERS = {
    "x": (0, 12, 99, 100, 450, 2_000, 9_999, 10_000, 80_000),
    "reddit": (0,),
    "bluesky": (0, 40, 700),
}
MINUTE = timedelta(minutes=1)


@dataclass
class Story:
    """One case: what was done to it in order, and what its author is."""

    moved: list[Moved] = field(default_factory=list)

    @property
    def case(self) -> Case:
        return self.moved[-1].case

    @property
    def timeline(self) -> list[TimelineEntry]:
        return [entry for moved in self.moved for entry in moved.timeline]

    def do(self, at: datetime, move: Callable[[Case], Moved]) -> None:
        """A move, once the clock has said what fell due until then."""
        woken = moves.wake(self.case, at=at) if self.case.open else None
        if woken is not None:
            self.moved.append(woken)
        self.moved.append(move(self.case))


class Week:
    """Cases of nine days, the last seven of them a week; nothing happens after `NOW`."""

    def __init__(self, count: int, seed: int = 7) -> None:
        self._dice = random.Random(seed)
        self.stories = [self._story(number + 1) for number in range(count)]

    async def record(self, cases: CaseStore) -> None:
        """Write all of it to a store, move by move."""
        for place in range(max(len(story.moved) for story in self.stories)):
            due = [Write(s.moved[place]) for s in self.stories if place < len(s.moved)]
            assert [end for end in await cases.save_all(due) if end is not None] == []

    def _story(self, number: int) -> Story:
        dice = self._dice
        at = BEGIN + (NOW - BEGIN) * dice.random() ** 0.9
        platform = dice.choice(["x", "x", "x", "reddit", "bluesky"])
        followers = dice.choice(FOLLOWERS[platform])
        author = Author(f"author-{number}", "=cmd()", followers=followers)
        mention = Mention(platform, f"post-{number}", author, f"Secret words {number}", at)
        case_id = topics.case_id(number, topics.partition_of_mention(mention))
        late = dice.random() < 0.03
        heard = min(at + (timedelta(hours=dice.uniform(1.2, 3)) if late else timedelta(seconds=20)), NOW)
        story = Story([moves.hear(mention, case_id=case_id, at=heard, promises=OSLO)])
        if dice.random() < 0.97:
            self._judge(story, heard)
            self._people(story, heard, loud=followers >= 10_000)
        return story

    def _judge(self, story: Story, at: datetime) -> None:
        dice = self._dice
        labels = judged(
            dice.choice([Urgency.LOW, Urgency.NORMAL, Urgency.HIGH, Urgency.CRITICAL]),
            dice.choice(list(Intent)),
            dice.choice(list(Sentiment)),
            topics=tuple(dice.sample(["=refund", "baggage", "app login"], dice.randrange(3))),
        )
        story.do(at, lambda c: moves.classify(c, labels, at=at, promises=OSLO))
        if not labels.needs_reply and dice.random() < 0.7:
            story.do(at, lambda c: moves.ignore(c, rule="", why="", at=at))
            return
        draft = Draft(f"d-{len(story.moved)}", "Hello", answers=story.case.last.key)
        if dice.random() < 0.25:
            key = f"ack-{len(story.moved)}"
            out = Outgoing(key, ReplyKind.ACKNOWLEDGEMENT, "Seen", draft.answers, "heard", at, automatic=True)
            story.do(
                at,
                lambda c: moves.acknowledge(c, out, draft=draft, permission=MAY_SEND, rule="", why="", at=at),
            )
            self._send(story, at + timedelta(seconds=dice.randrange(5, 90)))
            return
        may = BY_HAND if dice.random() < 0.1 else MAY_SEND
        story.do(at, lambda c: moves.propose(c, draft, permission=may, rule="", why="", at=at))

    def _send(self, story: Story, at: datetime) -> None:
        at = min(at, NOW)
        story.do(at, lambda c: moves.begin_sending(c, at=at, look_at=at + MINUTE))
        reply = f"r-{story.case.id}-{len(story.moved)}"
        story.do(at, lambda c: moves.sent(c, reply_id=reply, posted_at=at, at=at, promises=OSLO))

    def _people(self, story: Story, at: datetime, *, loud: bool) -> None:
        """What people do with it, at their pace: half an hour in the median, less for the loud."""
        dice = self._dice
        for _ in range(dice.choice([1, 1, 1, 2])):
            at += timedelta(minutes=dice.lognormvariate(3.4 - loud, 1.2))
            for act in dice.choice(_PLANS):
                if at >= NOW or not story.case.open:
                    return
                getattr(self, f"_{act}")(story, at)
                at += timedelta(minutes=dice.uniform(0.5, 15))
            if at >= NOW or dice.random() < 0.5:
                return
            self._join(story, at)
            self._judge(story, at)

    def _take(self, story: Story, at: datetime) -> None:
        story.do(at, lambda c: moves.take(c, by="Nina", at=at))

    def _snooze(self, story: Story, at: datetime) -> None:
        if story.case.status is not Status.SNOOZED:
            story.do(at, lambda c: moves.snooze(c, by="Ola", at=at, until=at + 90 * MINUTE))

    def _edit(self, story: Story, at: datetime) -> None:
        story.do(at, lambda c: moves.edit(c, by="Nina", at=at, text="Mine", draft_id=f"e-{c.version}"))

    def _close(self, story: Story, at: datetime) -> None:
        story.do(at, lambda c: moves.close(c, by="Ola", at=at, reason="solved elsewhere"))

    def _answer(self, story: Story, at: datetime) -> None:
        draft, permission = story.case.draft, story.case.permission
        if draft is None or permission == BY_HAND:
            story.do(at, lambda c: moves.post_by_hand(c, by="Ola", at=at, text="By hand"))
            return
        story.do(at, lambda c: moves.approve(c, by="Nina", at=at, draft_sha256=draft.sha256))
        self._send(story, at + timedelta(seconds=self._dice.randrange(1, 50)))

    def _join(self, story: Story, at: datetime) -> None:
        first = story.case.mentions[0]
        again = replace(first, id=f"{first.id}-{len(story.moved)}", created_at=at)
        story.do(at, lambda c: moves.join(c, again, at=at, promises=OSLO))


_PLANS: Sequence[Sequence[str]] = (
    ("answer",),
    ("answer",),
    ("answer",),
    ("take", "answer"),
    ("take", "edit", "answer"),
    ("edit",),
    ("take",),
    ("snooze",),
    ("snooze", "answer"),
    ("close",),
    (),
)
