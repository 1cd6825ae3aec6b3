"""What became of everything: counted from the store and the replay platform's record, never in passing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

from casework.case import WITH_PEOPLE, Case, Status
from casework.draft import ReplyKind
from casework.sla import PromiseState
from platforms.feed import Feed
from platforms.replay import ReplyRecord
from streams.case_store import CaseStore
from streams.dead_letters import DeadLetters, line_key

_STATES = {
    PromiseState.MET: "met",
    PromiseState.BREACHED: "breached",
    PromiseState.OPEN: "open",
    PromiseState.AT_RISK: "open",
}


@dataclass(slots=True)
class PromiseTally:
    """What has become of one kind of promise."""

    met: int = 0
    breached: int = 0
    open: int = 0


@dataclass(slots=True)
class Summary:
    """The numbers of a store, and of the replayed feed if there is one.

    ``mentions`` lines were in the feed and ``received`` of anything are recorded in the store. ``drafted``
    cases wait for a person with a draft, ``held`` ones without. ``acknowledged`` and ``answered`` count
    cases that have such a reply. ``replies_posted`` is by the feed's platform, or else by the store alone.
    ``lost`` are lines of the feed that the store knows nothing of.
    """

    mentions: int = 0
    received: int = 0
    cases: int = 0
    classified: int = 0
    acknowledged: int = 0
    drafted: int = 0
    held: int = 0
    ignored: int = 0
    answered: int = 0
    replies_posted: int = 0
    duplicate_replies: int = 0
    lost: int = 0
    dead_letters: int = 0
    passed_over: int = 0
    promises: dict[str, PromiseTally] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


async def summarise(
    cases: CaseStore,
    dead: DeadLetters,
    *,
    promised: Iterable[str] = (),
    feed: Feed | None = None,
    record: ReplyRecord | None = None,
    each: Callable[[Case], None] | None = None,
) -> Summary:
    """Count everything. ``promised`` names the kinds of promise to list even if none was made.

    ``each`` is shown every case on the way, so that a longer report need not read them again.
    """
    summary = Summary(promises={_name(name): PromiseTally() for name in promised})
    outcomes = {key: outcome async for key, outcome in cases.outcomes()}
    summary.received = len(outcomes)
    summary.passed_over = sum(outcome.startswith("-") for outcome in outcomes.values())
    summary.dead_letters = await dead.count()
    held_keys: set[str] = set()
    replies: dict[tuple[str, str], int] = {}
    async for case in cases.every():
        _count_case(summary, case)
        if each is not None:
            each(case)
        held_keys |= {mention.key for mention in case.mentions}
        for reply in case.replies:
            replies[case.platform, reply.answers] = replies.get((case.platform, reply.answers), 0) + 1
    if feed is not None:
        summary.mentions = feed.lines
        marks = await cases.marks.get()
        for item in feed.recorded:
            # Whoever was forgotten is known by a mark, and nothing of theirs is lost.
            if (outcome := outcomes.get(marks.key(item.mention.key))) is not None:
                outcomes[item.mention.key] = outcome
                held_keys.add(item.mention.key)
        summary.lost = _lost(feed, outcomes, held_keys)
    else:
        summary.mentions = summary.received
    if record is not None:
        _count_posts(summary, record, replies)
    else:
        summary.replies_posted = sum(replies.values())
    return summary


def _count_case(summary: Summary, case: Case) -> None:
    kinds = {reply.kind for reply in case.replies}
    waits = case.status in WITH_PEOPLE
    summary.cases += 1
    summary.classified += case.classification is not None
    summary.acknowledged += ReplyKind.ACKNOWLEDGEMENT in kinds
    summary.answered += ReplyKind.ANSWER in kinds
    summary.drafted += waits and case.draft is not None
    summary.held += waits and case.draft is None
    summary.ignored += case.status is Status.IGNORED
    for promise in case.promises:
        tally = summary.promises.setdefault(_name(promise.name), PromiseTally())
        state = _STATES[promise.state]
        setattr(tally, state, getattr(tally, state) + 1)


def _lost(feed: Feed, outcomes: Mapping[str, str], held: set[str]) -> int:
    """Lines of the feed without an outcome, or whose case does not hold them."""
    keys = [item.mention.key for item in feed.recorded]
    lines = [line_key(line.where, line.raw) for line in feed.unreadable]
    unheard = sum(key not in outcomes for key in (*keys, *lines))
    dropped = sum(key in outcomes and not outcomes[key].startswith("-") and key not in held for key in keys)
    return unheard + dropped


def _count_posts(summary: Summary, record: ReplyRecord, replies: Mapping[tuple[str, str], int]) -> None:
    """What the platform has, and how much of it is more than the store knows to have sent."""
    posts: dict[tuple[str, str], int] = {}
    for post in record.every():
        key = (post.platform, f"{post.platform}:{post.in_reply_to}")
        posts[key] = posts.get(key, 0) + 1
    summary.replies_posted = sum(posts.values())
    summary.duplicate_replies = sum(max(0, count - replies.get(key, 0)) for key, count in posts.items())


def _name(promise: str) -> str:
    return promise.replace(" ", "_")


def spoken(summary: Summary, seconds: float | None) -> str:
    """The summary on a terminal."""
    took = ""
    if seconds:
        took = f" in {seconds:.1f} s ({summary.received / seconds:,.0f} mentions/s)"
    lines = [
        f"mentions      {summary.mentions}, received {summary.received}{took}",
        f"passed over   {summary.passed_over} (our own, reposts, copies, about something else, unreadable)",
        f"cases         {summary.cases}, classified {summary.classified}, ignored {summary.ignored}",
        f"with people   {summary.drafted} drafted, {summary.held} held",
        f"replies       {summary.replies_posted} posted, {summary.acknowledged} cases acknowledged, "
        f"{summary.answered} answered",
        f"double, lost  {summary.duplicate_replies}, {summary.lost}; dead letters {summary.dead_letters}",
    ]
    for name, tally in summary.promises.items():
        label = name.replace("_", " ")
        lines.append(f"{label:<13} {tally.met} kept, {tally.breached} broken, {tally.open} open")
    return "\n".join(lines)
