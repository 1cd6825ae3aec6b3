"""Start reading here: how the stages are put together into one line, and what each is given.

    feed → Listener → mentions → ClassifierWorker → classified → ResponderWorker → escalated → people
                                                                 └→ approved → Sender → platforms
    PromiseClock → alerts → AlertWorker → managers
    SpikeClock → managers, and automatic replies pause

Every arrow is a stream; every stage reads and writes the case. Nothing here decides anything.
"""

import gc
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from casework.case import Case, Moved, Topic
from casework.classification import Classification
from casework.clock import Clock
from casework.draft import Draft
from casework.hours import OpeningHours
from casework.moves import APPROVAL_LASTS
from casework.reply import Outgoing
from casework.sla import Promises
from casework.spikes import Thresholds
from classifier.worker import ClassifierWorker
from config.brand import Brand
from config.lanes import lane
from escalation.alerts import AlertWorker, Herald
from escalation.promises import PromiseClock
from escalation.recounting import Recounter
from escalation.spikes import SpikeClock, SpikeRules, Tell, tell_log
from escalation.worker import EscalationWorker
from listener.tracker import Tracker, bare_handle
from listener.worker import Listener
from platforms.platform import Platform
from platforms.rules import Automatic, ReplyMode, Terms, TermsOf
from responder.drafting import NothingFits, acknowledgement, compose
from responder.knowledge import KnowledgeBase, load_articles
from responder.policy import Rule
from responder.sender import Sender, give_up
from responder.wording import load_templates
from responder.worker import Caps, Responder, ResponderWorker
from streams.allowance import Allowance
from streams.case_store import CaseStore
from streams.claim import UNDISPUTED, Claim
from streams.connection import Store
from streams.consumer import Consumer, Handler
from streams.dead_letters import DeadLetters
from streams.spikes import SpikeRecord
from streams.switch import AutomaticPause, Cursors, PauseSwitch
from streams.volume import Volume


class Model(Protocol):
    """What the line needs of the classifier's model: judgements, and vectors to find articles by meaning."""

    @property
    def name(self) -> str:
        """Names the weights: vectors of other weights cannot be compared."""
        ...

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        """One judgement a text, in order; ``handles`` are the brand's own accounts."""
        ...

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """One unit vector a text, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Accounts:
    """What is known of the accounts that reply: where there is one that may post (None: everywhere).

    ``unlabelled`` are the platforms where its profile does not say that it replies by itself, whatever
    the brand's file says (X6, B2, M2).
    """

    posting: frozenset[str] | None = None
    unlabelled: frozenset[str] = frozenset()


EVERYWHERE = Accounts()
"""A recorded day: any platform that it names takes replies."""


@dataclass(slots=True)
class Line:
    """The whole line, put together and not yet running."""

    brand: Brand
    cases: CaseStore
    dead: DeadLetters
    cursors: Cursors
    switch: PauseSwitch
    promises: Promises
    clock: Clock
    consumers: Mapping[str, Consumer]
    promise_clock: PromiseClock
    recounter: Recounter
    spike_clock: SpikeClock
    tracker: Tracker
    handlers: Callable[[Brand], Mapping[str, Handler]]

    def adopt(self, brand: Brand) -> None:
        """Go on under changed settings: the next batch of every stage is handled by them.

        Listeners that run already promise by them at once, and keep what they listen for until they are
        started again.
        """
        changed = self.handlers(brand)
        for stage, consumer in self.consumers.items():
            consumer.use(changed[stage])
        self.spike_clock.use(spike_rules(brand))
        self.brand, self.promises = brand, brand.promises(now=self.clock.now())
        self.promise_clock.promises = self.promises
        self.recounter.use(self.promises)
        self.tracker = tracking(brand)

    def listener(self, feed: str) -> Listener:
        """A listener for one feed; ``feed`` names its cursor."""
        return Listener(
            feed=feed,
            cases=self.cases,
            dead=self.dead,
            cursors=self.cursors,
            tracker=self.tracker,
            promises=lambda: self.promises,
            clock=self.clock,
        )

    def next_ready(self) -> datetime | None:
        """When the first entry that waits for its time may be handled again."""
        ready = (consumer.next_ready() for consumer in self.consumers.values())
        return min((at for at in ready if at is not None), default=None)


STAGES: Mapping[str, Topic] = {
    "classifier": Topic.MENTIONS,
    "responder": Topic.CLASSIFIED,
    "sender": Topic.APPROVED,
    "escalation": Topic.ESCALATED,
    "alerts": Topic.ALERTS,
}
"""The stages that consume a stream, in the order a case moves, and what each consumes."""
JUDGING = frozenset({"classifier", "responder"})
"""The stages that need the model; where none of them runs, it is not loaded."""


def collect_less_often() -> None:
    """Let the collector run for every 50,000 new values instead of every 700.

    A batch makes tens of thousands of small frozen values, none of them in a cycle: looking through them
    as often as Python does by default costs an eighth of the line's speed (measured by bench/line.py).
    """
    gc.set_threshold(50_000, 20, 50)


@contextmanager
def put_together(
    store: Store,
    brand: Brand,
    *,
    clock: Clock,
    model: Model | None,
    platforms: Mapping[str, Platform],
    herald: Herald,
    locks: Path,
    stages: Sequence[str] = tuple(STAGES),
    accounts: Accounts = EVERYWHERE,
    on_saved: Callable[[Moved], None] | None = None,
    tell_spike: Tell = tell_log,
    claim: Claim = UNDISPUTED,
) -> Iterator[Line]:
    """The line over a store; ``platforms`` by what mentions call them, ``*`` for every other.

    ``locks`` is where this process takes its place beside others of this machine; ``on_saved`` is told
    of every move that the line saves, ``tell_spike`` of every spike's beginning and end. ``claim`` is
    what makes this process the one that sends. Without a model ``stages`` has none that judges.
    """
    collect_less_often()
    cases = CaseStore(store, on_saved=on_saved)

    def handlers(current: Brand) -> Mapping[str, Handler]:
        return stage_handlers(
            store,
            cases,
            current,
            clock=clock,
            model=model,
            platforms=platforms,
            herald=herald,
            accounts=accounts,
            claim=claim,
        )

    first, promises = handlers(brand), brand.promises(now=clock.now())
    with lane(locks, "line") as number:
        name = f"{socket.gethostname()}-{number}"
        yield Line(
            brand=brand,
            cases=cases,
            dead=DeadLetters(store),
            cursors=Cursors(store),
            switch=PauseSwitch(store),
            promises=promises,
            clock=clock,
            consumers={
                stage: Consumer(
                    store,
                    cases,
                    topic=STAGES[stage],
                    group=stage,
                    name=name,
                    handler=first[stage],
                    clock=clock,
                    give_up=give_up if stage == "sender" else None,
                )
                for stage in stages
            },
            promise_clock=PromiseClock(cases=cases, clock=clock, promises=promises),
            recounter=Recounter(cases=cases, clock=clock, done=Cursors(store), promises=promises),
            spike_clock=SpikeClock(
                volume=Volume(store),
                record=SpikeRecord(store),
                pause=AutomaticPause(store),
                clock=clock,
                rules=spike_rules(brand),
                tell=tell_spike,
            ),
            tracker=tracking(brand),
            handlers=handlers,
        )


def stage_handlers(
    store: Store,
    cases: CaseStore,
    brand: Brand,
    *,
    clock: Clock,
    model: Model | None,
    platforms: Mapping[str, Platform],
    herald: Herald,
    accounts: Accounts = EVERYWHERE,
    claim: Claim = UNDISPUTED,
) -> Mapping[str, Handler]:
    """What each stage does with a batch of cases, under the brand's present settings.

    Without a model there are only the stages that judge nothing.
    """
    switch, pause = PauseSwitch(store), AutomaticPause(store)
    promises, terms = brand.promises(now=clock.now()), permitting(brand, accounts)
    own = own_handles(brand)
    judging: dict[str, Handler] = {}
    if model is not None:
        judge = partial(model.classify, topics=brand.topics, handles=own)
        judging["classifier"] = ClassifierWorker(
            judge=judge, promises=promises, clock=clock, volume=Volume(store)
        )
        judging["responder"] = ResponderWorker(
            responder=responding(brand, model, clock, terms),
            cases=cases,
            allowance=Allowance(store),
            pause=pause,
            clock=clock,
        )
    return judging | {
        "sender": Sender(
            cases=cases,
            platforms=platforms,
            terms=terms,
            switch=switch,
            claim=claim,
            pause=pause,
            promises=promises,
            clock=clock,
        ),
        "escalation": EscalationWorker(herald=herald),
        "alerts": AlertWorker(herald=herald, clock=clock, backup=brand.team.slack.backup),
    }


def tracking(brand: Brand) -> Tracker:
    """What the brand listens for."""
    own = {
        platform: frozenset(bare_handle(handle) for handle in handles)
        for platform, handles in brand.handles.items()
    }
    return Tracker(own_handles=own, ignore=brand.ignore)


def permitting(brand: Brand, accounts: Accounts = EVERYWHERE) -> TermsOf:
    """How the brand uses each platform: what `platforms.rules.may` is asked with."""
    automatic = Automatic(enabled=brand.automatic.enabled, confidence=brand.automatic.confidence)
    terms = {
        name: Terms(
            reply=ReplyMode(part.reply),
            allowed_places=frozenset(part.reply_in),
            labelled=part.labelled and name not in accounts.unlabelled,
            account=accounts.posting is None or name in accounts.posting,
            approval=part.approval_reference,
            ai_replies_approved=part.approval_reference if part.ai_replies_approved else None,
            automatic=automatic,
        )
        for name, part in brand.platforms.items()
    }
    # A platform that the brand does not name is off: people may still answer there themselves.
    off = Terms(reply=ReplyMode.MANUAL)
    return lambda platform: terms.get(platform, off)


def spike_rules(brand: Brand) -> SpikeRules:
    """What the brand calls a spike; it is told where there are no automatic replies to pause, too."""
    when = brand.automatic.pause_when
    return SpikeRules(
        Thresholds(ratio=when.spike, negative=when.negative.at_least or 0.0),
        brand.timezone,
        pauses=brand.automatic.enabled,
    )


def own_handles(brand: Brand) -> frozenset[str]:
    """The brand's accounts on every platform, as the feeds spell them."""
    return frozenset(handle for handles in brand.handles.values() for handle in handles)


def desk_hours(hours: OpeningHours, now: datetime) -> str:
    """When people are there today, as a customer reads it: ``08:00-22:00``; empty on a closed day."""
    zone = ZoneInfo(hours.timezone)
    spans = hours.of_day(now.astimezone(zone).date())
    return ", ".join(f"{start.astimezone(zone):%H:%M}-{end.astimezone(zone):%H:%M}" for start, end in spans)


def responding(brand: Brand, model: Model, clock: Clock, terms: TermsOf) -> Responder:
    """The brand's rules, knowledge and wording."""
    knowledge = KnowledgeBase(
        load_articles(brand.knowledge),
        partial(model.embed, handles=own_handles(brand)),
        weights=lambda: model.name,
    )
    wording = load_templates(brand.templates)
    caps, hours = brand.automatic.at_most, brand.hours(now=clock.now())

    def write(case: Case, rule: Rule) -> Draft | NothingFits:
        now = clock.now()
        return compose(
            case,
            rule=rule,
            articles=knowledge,
            wording=wording,
            brand=brand.name,
            today=now.date(),
            draft_id=f"draft-{case.version}",
            desk_hours=desk_hours(hours, now),
        )

    def acknowledge(case: Case, rule: Rule) -> Outgoing | NothingFits:
        now = clock.now()
        return acknowledgement(
            case,
            template_id=rule.template or "",
            wording=wording,
            brand=brand.name,
            at=now,
            desk_hours=desk_hours(hours, now),
            not_after=now + APPROVAL_LASTS,
        )

    return Responder(
        rules=brand.rules(),
        terms=terms,
        compose=write,
        acknowledgement=acknowledge,
        caps=Caps(
            per_hour=caps.per_hour,
            per_customer=caps.per_customer.count,
            customer_span=caps.per_customer.per,
        ),
    )
