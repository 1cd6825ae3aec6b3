"""The simulation's own account of what must hold, kept apart from the product and checked at every step.

It sees what happens on the platforms, what is written into the store, and who is told. It knows what the
protocol can promise, and no more: a POST that began before an opt-out, a deletion or the kill switch could
be known to its sender is no violation.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from casework.case import Case, Status
from casework.mention import Mention
from casework.reply import Outgoing
from casework.sla import Alert, Promise
from responder.sender import LOOK_LASTS, MARGIN
from tests.simulation.sites import COLLEAGUE, FOREVER, Shown, Site

LATE_S: Final = 60.0
SWITCH_S: Final = 1.0
HEARD_S: Final = 1.0
"""A sender asks for opt-outs last; what is written while its answer travels, it cannot know."""
LOOK_S: Final = (LOOK_LASTS + MARGIN).total_seconds()
"""So long a look at the platform allows a POST: until the intent, and from there until it leaves."""

LONG_AGO: Final = timedelta(minutes=2)
ENDS: Final = {
    Status.ANSWERED: "answered",
    Status.IGNORED: "ignored",
    Status.CLOSED: "closed",
    Status.HELD: "with people",
    Status.DRAFTED: "with people",
    Status.ACKNOWLEDGED: "with people",
    Status.FAILED: "with people",
    Status.SNOOZED: "with people",
}


class Violation(AssertionError):
    """Something that must hold did not."""


@dataclass(slots=True)
class Oracle:
    """Everything that was seen, and what follows from it. ``seconds`` is the true time."""

    seconds: Callable[[], float]
    instant: Callable[[], datetime]
    say: Callable[[str], None]
    clock_since: Callable[[], float]
    ahead: Callable[[], float]
    cases: dict[str, Case] = field(default_factory=dict)
    case_of: dict[str, str] = field(default_factory=dict)
    delivered: dict[str, float] = field(default_factory=dict)
    opted_out: dict[str, float] = field(default_factory=dict)
    switched_off: float = FOREVER
    approved: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    raised: Counter[tuple[str, str, Alert]] = field(default_factory=Counter)
    told: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    announced: set[str] = field(default_factory=set)
    waiting: list[tuple[float, str, int, datetime]] = field(default_factory=list)
    """By when a case's alarm must be raised, and which: the one that its version made the next."""
    moves: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)

    def wrong(self, what: str) -> None:
        """Say so, and stop."""
        self.say(f"VIOLATION {what}")
        raise Violation(what)

    # ── the platforms ────────────────────────────────────────────────────────────────────────────

    def posting(self, site: Site, mention: Mention, outgoing: Outgoing, process_now: datetime) -> None:
        """A POST begins: may it?"""
        now, about = self.seconds(), f"{outgoing.key} on {site.name}"
        author = f"{site.name}:{mention.author.id}"
        if now > self.opted_out.get(author, FOREVER) + HEARD_S:
            self.wrong(f"sent after an opt-out: {about}")
        if now > self.switched_off + SWITCH_S:
            self.wrong(f"sent {now - self.switched_off:.1f} s after the kill switch: {about}")
        post = site.posts[mention.id]
        if now > post.deleted + LOOK_S:
            self.wrong(f"sent {now - post.deleted:.0f} s after a deletion: {about}")
        shown = {text for since, text in post.versions if since >= now - LOOK_S}
        if mention.text not in shown | {post.text_at(now - LOOK_S)}:
            self.wrong(f"sent to words that were edited: {about}")
        if any(
            one.kind == COLLEAGUE and one.seen_from < now - LOOK_S and one.removed > now
            for one in site.below.get(mention.id, ())
        ):
            self.wrong(f"sent although a colleague had answered: {about}")
        if outgoing.not_after is not None and process_now > outgoing.not_after + MARGIN:
            self.wrong(f"sent later than it may be: {about}")
        approval = self.approved.get(outgoing.key)
        if not outgoing.automatic and (approval is None or approval[1] != outgoing.text):
            self.wrong(f"sent other words than were approved: {about}")
        if outgoing.automatic and outgoing.kind != "acknowledgement":
            self.wrong(f"an answer that nobody approved: {about}")

    def arrived(self, site: Site, reply: Shown) -> None:
        """A reply of ours is on the platform: is it the only one of its kind there?"""
        now = self.seconds()
        ours = [
            one
            for one in site.below[reply.answers]
            if one.key and one.kind == reply.kind and one.removed > now
        ]
        if len(ours) > 1:
            self.wrong(
                f"{len(ours)} {reply.kind}s below {site.name}:{reply.answers}: {[one.key for one in ours]}"
            )

    # ── the store ────────────────────────────────────────────────────────────────────────────────

    def saved(self, case: Case) -> None:
        """A case was written."""
        before = self.cases.get(case.id)
        self.cases[case.id] = case
        self.moves[case.moved] += 1
        if before is not None and case.version != before.version + 1:
            self.wrong(f"{case.id} went from version {before.version} to {case.version}")
        known = len(before.mentions) if before is not None else 0
        for mention in case.mentions[known:]:
            if self.case_of.setdefault(mention.key, case.id) != case.id:
                self.wrong(f"{mention.key} is in {case.id} and in {self.case_of[mention.key]}")
        if case.moved == "approve" and case.outgoing is not None:
            self.approved[case.outgoing.key] = (case.id, case.outgoing.text, case.version)
            self.decided[(case.id, case.outgoing.key)] += 1
        if before is None or case.promises != before.promises or case.pauses != before.pauses:
            self._expect(case)

    def added_alert(self, case_id: str, alert: Alert) -> None:
        """An alarm was raised."""
        # What is owed for a later mention may be due at the same instant, such as the end of the day.
        about = next(p.mention for p in reversed(self.cases[case_id].promises) if p.name == alert.promise)
        self.raised[(case_id, about, alert)] += 1
        if self.raised[(case_id, about, alert)] > 1:
            self.wrong(f"raised twice: {case_id} {alert}")
        early = (alert.at or alert.due_at) - self.instant()
        if early > timedelta(seconds=self.ahead() + 1):
            self.wrong(f"raised {early} early: {case_id} {alert}")

    # ── alarms ───────────────────────────────────────────────────────────────────────────────────

    def _expect(self, case: Case) -> None:
        at = _next_alarm(case)
        if at is not None:
            begin = max(self.seconds() + (at - self.instant()).total_seconds(), self.seconds())
            heapq.heappush(self.waiting, (begin + LATE_S, case.id, case.version, at))

    def check_time(self) -> None:
        """Is an alarm late?"""
        now = self.seconds()
        while self.waiting and self.waiting[0][0] < now:
            latest, case_id, version, at = heapq.heappop(self.waiting)
            case = self.cases[case_id]
            # Another one since then has an entry of its own: it may be there for a moment only.
            if at != _next_alarm(case) or at > self.instant() - timedelta(seconds=LATE_S):
                continue
            since = self.clock_since()
            if now > since + LATE_S and now > latest:
                self.wrong(f"an alarm of {at} for {case_id} (version {case.version}) is not raised")
            # No clock that was right has been there for long enough.
            again = now + LATE_S if since == FOREVER else max(since + LATE_S, now) + 0.001
            heapq.heappush(self.waiting, (again, case_id, version, at))

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def check_ends(self, sites: dict[str, Site], outcomes: dict[str, str], buried: set[str]) -> None:
        """Every mention ended, every approval was carried out or says why not, every alarm was told."""
        for key in self.delivered:
            self._check_mention(key, outcomes.get(key), buried)
        for case in self.cases.values():
            if case.id not in buried:
                self._check_case(case, sites[case.platform])
        raised = Counter((case_id, alert.promise, str(alert.at)) for case_id, _, alert in self.raised)
        for case_id, _, alert in self.raised:
            about = (case_id, alert.promise, str(alert.at))
            if self.told[about] < raised[about] and case_id not in buried:
                self.wrong(f"raised and told to nobody: {case_id} {alert}")

    def _check_mention(self, key: str, outcome: str | None, buried: set[str]) -> None:
        if outcome is None:
            self.wrong(f"{key} was lost")
            return
        if outcome.startswith("-"):
            self.ended[f"passed over: {outcome[1:].split()[0]}"] += 1
            return
        case = self.cases.get(outcome)
        if case is None or key not in {mention.key for mention in case.mentions}:
            self.wrong(f"{key} is said to be in {outcome} and is not")
            return
        if case.id in buried:
            self.ended["dead letter"] += 1
            return
        end = ENDS.get(case.status)
        if end is None:
            self.wrong(f"{key} never ended: {case.id} is {case.status}")
            return
        if end in ("ignored", "closed") and not case.why:
            self.wrong(f"{case.id} is {case.status} and does not say why")
        if end == "with people":
            late = [p for p in case.promises if p.running and p.due_at < self.instant() - LONG_AGO]
            end = "held for people, expired with an alarm" if late else "held for people"
            if case.permission is not None and case.permission.rule:
                end = f"kept in by rule {case.permission.rule}"
        self.ended[end] += 1

    def _check_case(self, case: Case, site: Site) -> None:
        if case.status is Status.ANSWERED:
            known = {reply.id for reply in case.replies if reply.id}
            if not any(reply.by_hand for reply in case.replies) and not known & {
                one.id for one in site.shown
            }:
                self.wrong(f"{case.id} is answered and nobody sees it")
        for reply in case.replies:
            if reply.id and not any(
                one.id == reply.id for one in site.below.get(reply.answers.split(":", 1)[1], ())
            ):
                self.wrong(f"{case.id} has a reply {reply.id} that is not there")
        if case.status in ENDS and ENDS[case.status] == "with people" and case.pause is None:
            for promise in case.promises:
                self._check_alarm(case, promise)
            if case.id not in self.announced:
                self.wrong(f"{case.id} waits for people and nobody was told")

    def _check_alarm(self, case: Case, promise: Promise) -> None:
        if promise.running and promise.due_at < self.instant() - LONG_AGO:
            rung = [
                alert
                for case_id, about, alert in self.raised
                if (case_id, about, alert.promise, alert.state)
                == (case.id, promise.mention, promise.name, "breached")
            ]
            if not rung:
                self.wrong(f"{promise.name} of {case.id} broke and no alarm was raised")

    def check_approvals(
        self, sites: dict[str, Site], timelines: dict[str, list[tuple[int, str]]], buried: set[str]
    ) -> None:
        """No approval is lost: its reply is there, or the timeline or a dead letter says what came of it."""
        for key, (case_id, _, version) in self.approved.items():
            site = sites[self.cases[case_id].platform]
            if case_id in buried or any(one.key == key for one in site.shown):
                continue
            after = {what for at, what in timelines[case_id] if at > version}
            if not after & {"stop sending", "be refused", "withdraw", "amend", "join", "close", "be sent"}:
                self.wrong(f"the approval of {key} was lost: {sorted(after)}")


def _next_alarm(case: Case) -> datetime | None:
    """When somebody must be told something about the case next, whatever the store's index says."""
    if case.pause is not None:
        return None
    found = []
    for promise in case.promises:
        if promise.settled_at is not None:
            continue
        if promise.state == "breached":
            found += [at for at, _ in promise.ladder]
        else:
            found += [*promise.warn_at, promise.due_at]
    return min(found, default=None)
