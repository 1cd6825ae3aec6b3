"""Puts Slack together: what the desk there is given, what keeps it going, and what the doctor asks of it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from casework.case import WITH_PEOPLE, Case, Move
from casework.clock import Clock
from casework.decisions import Circumstances
from casework.errors import HeardError, TryAgainLater
from config.brand import Brand, said_at
from config.brand_file import RolesPart
from config.checks import Check, State
from config.serving import approvals_of, check_text, count
from escalation import boards
from escalation.alerts import ON_DUTY
from escalation.boards import BreachRow, Frame
from escalation.cards import Look, card, thread_line
from escalation.delivery import Delivery, Drawing, Flood, needs_people
from escalation.figures import Late, figures, late_because
from escalation.home import Step
from escalation.http import SignedHttp, serve
from escalation.leases import Leases
from escalation.press_worker import PressWorker
from escalation.preview import PreviewSlack, through
from escalation.roles import Role, Team
from escalation.slack_app import build_app
from escalation.slack_desk import SlackDesk, edited
from escalation.slack_herald import SlackHerald, by_name
from escalation.slack_payload import Payload
from escalation.slack_web import NotPosted, SlackTrouble, Web
from escalation.socket import Sockets
from platforms.composers import composer
from platforms.limits import Budget, OwnBudget
from streams.cards import CardIndex
from streams.case_store import CaseStore
from streams.connection import LOST, Store, end_if_cancelled
from streams.dead_letters import DeadLetters
from streams.leases import Questions
from streams.locks import EditLocks
from streams.people import PeopleNames
from streams.presses import PressBox
from streams.requests import SeenRequests
from streams.spikes import News
from streams.switch import Cursors, PauseSwitch

log = structlog.get_logger(__name__)

API: Final = "https://slack.com/api/"
NOWHERE: Final = "http://127.0.0.1:9/api/"
"""Where the preview would ask Slack, if anything of it did."""

NO_TOKEN: Final = "preview"  # noqa: S105 (no secret: the preview asks nobody)
CARE: Final = "#social-care"
SCOPES: Final = frozenset({"chat:write", "commands", "users:read", "channels:read", "channels:history"})
TEAM_EVERY_S: Final = 300.0
AGAIN_S: Final = 5.0
SAY_TRIES: Final = 20
DAY: Final = timedelta(days=1)
_USER_ID: Final = re.compile(r"[UW][A-Z0-9]{4,}")


@dataclass(slots=True)
class SlackSide:
    """Slack for one brand, on one store: `run` keeps it going, `herald` is how the line tells people."""

    brand: Brand
    cases: CaseStore
    cursors: Cursors
    clock: Clock
    web: Web | PreviewSlack
    index: CardIndex
    delivery: Delivery
    herald: SlackHerald
    desk: SlackDesk
    worker: PressWorker
    leases: Leases
    sockets: Sockets | None
    team: "Roster | None"
    preview: PreviewSlack | None = None
    http: Callable[[], Coroutine[None, None, None]] | None = None
    saying: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> None:
        """Deliver, carry out presses, hold the sockets, follow every change, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.delivery.run())
            tasks.create_task(self._carry_out())
            tasks.create_task(self._follow_changes())
            if self.preview is None:
                # On the preview's fast clock five minutes for an answer are over in seconds.
                tasks.create_task(self.leases.run())
            if self.team is not None:
                tasks.create_task(self.team.keep_up())
            if self.sockets is not None:
                tasks.create_task(self.sockets.run())
            if self.http is not None:
                tasks.create_task(self.http())

    async def _carry_out(self) -> None:
        """Carry out presses once it is known who may what: one that a dead process left is there at once,
        and would be refused to whoever pressed. Until then they lie in their box.
        """
        if self.team is not None:
            await self.team.known.wait()
        await self.worker.run()

    async def health(self) -> list[Check]:
        """How Slack is connected, for the desk's health page and ``/readyz``."""
        checks = []
        if self.sockets is not None:
            state = self.sockets.state()
            words = f"{state.listening} of {state.wanted} connections listen"
            words += f": {state.trouble}" if state.trouble else ""
            how: State = "warn" if state.trouble else "ok"
            how = how if state.ok else "bad"
            checks.append(Check("Slack", how, words, "" if how == "ok" else "heard doctor"))
        if self.delivery.trouble():
            checks.append(Check("Slack", "warn", f"cards: {self.delivery.trouble()}", "heard doctor"))
        if self.team is not None and self.team.trouble:
            checks.append(Check("Slack", "warn", f"people: {self.team.trouble}", "heard doctor"))
        return checks

    async def tell_spike(self, news: News) -> None:
        """Tell managers that a spike began, or is over.

        Raises:
            SlackTrouble: they were not told.
        """
        frame = Frame(self.clock.now(), self.brand.timezone, self.herald.desk_url)
        await send_spike(news, self.brand, frame, self.web)

    async def tell_trouble(self, words: str) -> None:
        """Tell managers that something is wrong with the settings; where Slack is silent, the log has it."""
        try:
            await _tell_managers(self.brand, self.web, boards.settings_trouble(words))
        except SlackTrouble as trouble:
            log.warning("managers not told of the settings", why=str(trouble))

    async def tell_letters(self, words: str) -> None:
        """Tell managers of dead letters.

        Raises:
            SlackTrouble: they were not told.
        """
        await _tell_managers(self.brand, self.web, boards.letters(words))

    async def check_ladders(self, brand: Brand) -> None:
        """Warn managers of people and channels on a ladder that Slack does not know."""
        try:
            unknown = await unknown_to(self.web, brand)
        except SlackTrouble as trouble:
            log.warning("ladders not checked", why=str(trouble))
            return
        for words in unknown:
            log.error("brand file", problem=words)
        if unknown:
            await self.tell_trouble("\n".join(unknown))

    async def trouble(self, case_id: str) -> str:
        """Why Slack does not show a case; empty where it does, or need not."""
        return await self.index.trouble_of(case_id)

    # ── what Slack shows follows the cases ───────────────────────────────────────────────────────

    async def _follow_changes(self) -> None:
        """Every card is drawn again once its case changed, by whomever, on whatever desk."""
        while True:
            with suppress(*LOST):
                async for change in self.cases.changes(await self.cursors.get("slack/changes")):
                    await self._tell_change(change.case_id, change.version)
                    await self.cursors.set("slack/changes", change.id)
            end_if_cancelled()
            await asyncio.sleep(AGAIN_S)

    async def _tell_change(self, case_id: str, version: int) -> None:
        try:
            await self._changed(case_id, version)
        except LOST:
            raise
        except Exception:
            # One odd case must not keep all the others from their cards.
            log.exception("change not followed", case=case_id)

    async def _changed(self, case_id: str, version: int) -> None:
        (case,) = await self.cases.load_all([case_id])
        if case is None:
            return
        if case.moved in (Move.WITHDRAW, Move.EXPIRE, Move.ERASE):
            for mention in case.mentions:
                if not mention.text:
                    await self.delivery.redact(mention.key)
        # One that has no card yet may be on its way to one, drawn as it was a moment ago.
        known = await self.index.of(case_id)
        if needs_people(case) or known is not None:
            await self.index.dirty(case_id, at=self.clock.now())
        if known is not None and known.ts:
            saying = asyncio.create_task(self._say(case, version))
            self.saying.add(saying)
            saying.add_done_callback(self.saying.discard)

    async def _say(self, case: Case, version: int) -> None:
        """What happened to a case, in its card's thread: once, whoever else says it too."""
        entries = await self.cases.timeline(case.id)
        entry = next((entry for entry in entries if entry.version == version), None)
        told = thread_line(case, entry) if entry is not None else None
        if entry is None or told is None:
            return
        quoted = [case.last.key] if entry.what == Move.JOIN else []
        for _ in range(SAY_TRIES):
            try:
                await self.delivery.say(case, told, f"{version}", quotes=quoted)
            except TryAgainLater as later:
                await asyncio.sleep(later.after.total_seconds())
            except LOST as error:
                log.warning("line not said", case=case.id, error=type(error).__name__)
                return
            else:
                return
        log.warning("line not said", case=case.id)

    # ── the digest ───────────────────────────────────────────────────────────────────────────────

    async def digest_if_due(self) -> None:
        """Post the digest, once a day, at the time that the brand named, however often this is rung."""
        wanted = self.brand.team.slack.digest
        local = self.clock.now().astimezone(ZoneInfo(self.brand.timezone))
        today = local.date().isoformat()
        if wanted is None or local.time() < wanted or await self.cursors.get("slack/digest") == today:
            return
        try:
            await send_digest(self.cases, self.brand, self.clock, self.web)
        except SlackTrouble as trouble:
            log.warning("digest not sent", why=str(trouble))
            return
        await self.cursors.set("slack/digest", today)


async def send_digest(cases: CaseStore, brand: Brand, clock: Clock, web: Web | PreviewSlack) -> str:
    """Post the day's figures where managers are; says where.

    Raises:
        SlackTrouble: Slack does not take them.
    """
    where = await _tell_managers(brand, web, await digest_of(cases, brand, clock))
    return f"The digest is in {where}."


async def send_spike(news: News, brand: Brand, frame: Frame, web: Web | PreviewSlack) -> None:
    """Post a spike's beginning, or its end, where managers are.

    Raises:
        SlackTrouble: Slack does not take it.
    """
    about, paused = brand.name, news.paused
    if news.spike is not None:
        payload = boards.spike_message(news.spike, frame, about=about, counts=news.counts, paused=paused)
        await _tell_managers(brand, web, payload)
    if news.over is not None:
        await _tell_managers(brand, web, boards.spike_over(news.over, frame, about=about, paused=paused))


async def _tell_managers(brand: Brand, web: Web | PreviewSlack, payload: Payload) -> str:
    """Post to managers, without charts where Slack does not draw them; returns where they are."""
    where = brand.team.slack.managers or brand.team.slack.channel or CARE
    channel = await web.channel_id(where)
    try:
        await web.post(channel, payload)
    except NotPosted as refused:
        simpler = boards.without_charts(payload)
        if refused.reason != "invalid_blocks" or simpler is None:
            raise
        await web.post(channel, simpler)
    return where


async def digest_of(cases: CaseStore, brand: Brand, clock: Clock) -> Payload:
    """The last day's figures, against those of the day before."""
    now = clock.now()
    held = [case async for case in cases.every()]
    policies = brand.promises(now=now).policies
    today = figures(held, policies, since=now - DAY, until=now, now=now)
    before = figures(held, policies, since=now - 2 * DAY, until=now - DAY, now=now)
    local = now.astimezone(ZoneInfo(brand.timezone))
    title = f"Daily report · {local:%A} {local.day} {local:%B}"
    return boards.digest(title, today, Frame(now, brand.timezone), before=before)


@dataclass(slots=True)
class Roster:
    """Who may do what, as Slack knows the people now: the brand's file, with groups resolved."""

    roles: RolesPart
    web: Web
    now: Team = field(default_factory=lambda: Team(""))
    trouble: str = ""
    known: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep_up(self) -> None:
        """Resolve again every few minutes, and soon after a failure; until the first time nobody may."""
        while True:
            try:
                self.now = await self.resolved()
                self.trouble = ""
                self.known.set()
            except SlackTrouble as trouble:
                self.trouble = str(trouble)
                log.warning("team not resolved", why=str(trouble))
            end_if_cancelled()
            await asyncio.sleep(AGAIN_S if self.trouble else TEAM_EVERY_S)

    async def resolved(self) -> Team:
        """The team as it is now.

        Raises:
            SlackTrouble: Slack does not say who somebody is; what is known stays as it was.
        """
        auth = await self.web.auth()
        members: dict[Role, frozenset[str]] = {
            role: frozenset(
                [one for entry in getattr(self.roles, role.key) for one in await self._who(entry)]
            )
            for role in Role
            if role is not Role.NOBODY
        }
        return Team(auth.team_id, members)

    async def _who(self, entry: str) -> frozenset[str]:
        bare = entry.strip().lstrip("@")
        if _USER_ID.fullmatch(bare):
            return frozenset({bare})
        try:
            return await self.web.group_members(bare)
        except NotPosted as refused:
            if refused.reason not in ("no_such_subteam", "missing_scope"):
                raise
        return frozenset({await self.web.channel_id(f"@{bare}")})


def slack_side(
    brand: Brand,
    store: Store,
    *,
    clock: Clock,
    budget: Budget,
    token: str = NO_TOKEN,
    app_token: str = "",
    api_url: str = API,
    preview: PreviewSlack | None = None,
    signing_secret: str = "",
    listen: str | None = None,
    desk_url: str | None = None,
    channel: str | None = None,
    name: str = "slack",
    checks: Callable[[], Awaitable[Sequence[Check]]] | None = None,
) -> SlackSide:
    """Slack for a brand; nothing is sent yet. Without an app token or ``listen`` no click arrives.

    ``checks`` are the doctor's lines: the checklist of App Home before the first case, and "Health".

    Raises:
        HeardError: the brand names no channel for its cards.
    """
    channel = channel or brand.team.slack.channel
    if channel is None:
        raise HeardError('team › slack › channel is not set: where shall cards go, such as "#social-care"?')
    drawings = Drawings(brand, clock, CaseStore(store), CardIndex(store), EditLocks(store), desk_url)
    web = preview if preview is not None else Web(token, api_url)
    delivery = Delivery(
        web, drawings.index, drawings.cases, budget, clock, channel=channel, drawing=drawings.drawing()
    )
    roster = Roster(brand.team.roles, web) if isinstance(web, Web) else None
    desk = _desk(drawings, store, web, delivery, _team_of(roster, preview), checks or _no_checks)
    app = build_app(desk, token=token, api_url=api_url, signing_secret=signing_secret)
    if preview is not None:
        preview.listens(through(app))
    http = None
    if signing_secret and listen:
        host, _, port = listen.rpartition(":")
        signed = SignedHttp(app, signing_secret, SeenRequests(store))
        http = partial(serve, signed, host.strip("[]"), int(port))
    return SlackSide(
        brand=brand,
        cases=drawings.cases,
        cursors=Cursors(store),
        clock=clock,
        web=web,
        index=drawings.index,
        delivery=delivery,
        herald=_herald(brand, clock, web, drawings.index, delivery, channel),
        desk=desk,
        worker=PressWorker(desk, name=name),
        leases=_leases(drawings, store, web, budget),
        sockets=Sockets(app, app_token) if app_token and http is None else None,
        team=roster,
        http=http,
        preview=preview,
    )


def _leases(drawings: "Drawings", store: Store, web: Web | PreviewSlack, budget: Budget) -> Leases:
    brand = drawings.brand
    return Leases(
        web=web,
        cases=drawings.cases,
        questions=Questions(store),
        names=PeopleNames(store),
        locks=drawings.locks,
        budget=budget,
        clock=drawings.clock,
        frame=drawings.frame,
        open_now=lambda instant: brand.hours(now=instant).is_open(instant),
    )


@dataclass(frozen=True, slots=True)
class Drawings:
    """How everything of a brand looks in Slack, drawn from what the store says now."""

    brand: Brand
    clock: Clock
    cases: CaseStore
    index: CardIndex
    locks: EditLocks
    desk_url: str | None

    def look(self) -> Look:
        """What a card is drawn under."""
        return Look(
            now=self.clock.now(),
            brand=self.brand.name,
            timezone=self.brand.timezone,
            desk_url=self.desk_url,
            measure=count,
            link=lambda case: composer(case.last, case.draft.text if case.draft else ""),
            approvals=approvals_of(self.brand),
        )

    def frame(self) -> Frame:
        """What a board is drawn under."""
        return Frame(self.clock.now(), self.brand.timezone, self.desk_url)

    def drawing(self) -> Drawing:
        """All of it, as the delivery asks for it."""
        return Drawing(
            card=self._card,
            flood=self._flood,
            breach=self._breach,
            page=lambda case_id: f"{self.desk_url}/cases/{case_id}" if self.desk_url else None,
            simpler=boards.without_charts,
        )

    async def _card(self, case: Case) -> Payload:
        return card(case, await edited(self.look(), self.locks, case.id))

    def _flood(self, waiting: Flood) -> Payload:
        return boards.flood_message(
            waiting.held_back,
            self.frame(),
            late=waiting.late,
            at_risk=waiting.at_risk,
            oldest=waiting.oldest,
        )

    async def _breach(self, late: Sequence[Case]) -> Payload:
        rows = [BreachRow(case, await self._why_late(case)) for case in late]
        return boards.breach_board(rows, self.frame())

    async def _why_late(self, case: Case) -> Late | None:
        timeline = await self.cases.timeline(case.id)
        return late_because(case, timeline, undelivered=await self.index.trouble_of(case.id))


def _desk(
    drawings: Drawings,
    store: Store,
    web: Web | PreviewSlack,
    delivery: Delivery,
    team: Callable[[], Team],
    checks: Callable[[], Awaitable[Sequence[Check]]],
) -> SlackDesk:
    brand, clock = drawings.brand, drawings.clock
    policies = brand.promises(now=clock.now()).policies

    async def digest() -> str:
        return await send_digest(drawings.cases, brand, clock, web)

    async def health() -> Sequence[str]:
        return [check.sentence() for check in await checks()]

    async def steps() -> Sequence[Step]:
        return [
            Step(f"{check.name}: {check.words}", check.state == "ok", check.fix) for check in await checks()
        ]

    return SlackDesk(
        cases=drawings.cases,
        box=PressBox(store),
        locks=drawings.locks,
        names=PeopleNames(store),
        index=drawings.index,
        dead=DeadLetters(store),
        switch=PauseSwitch(store),
        web=web,
        threads=delivery,
        clock=clock,
        team=team,
        circumstances=lambda: circumstances(brand, clock),
        look=drawings.look,
        digest=digest,
        health=health,
        steps=steps,
        rule_words=lambda rule: next((str(r.do) for r in brand.rules() if r.id == rule), ""),
        promises=[policy.name for policy in policies],
    )


async def _no_checks() -> Sequence[Check]:
    return ()


def _herald(
    brand: Brand,
    clock: Clock,
    web: Web | PreviewSlack,
    index: CardIndex,
    delivery: Delivery,
    channel: str,
) -> SlackHerald:
    slack = brand.team.slack
    managers = slack.managers or channel
    return SlackHerald(
        web=web,
        cards=index,
        delivery=delivery,
        clock=clock,
        channels={"managers": managers, "leads": slack.leads or managers},
        whom=partial(_whom, brand, web) if isinstance(web, Web) else by_name,
        timezone=brand.timezone,
    )


async def _whom(brand: Brand, web: Web, who: str) -> Sequence[str]:
    """The Slack ids of somebody, so that they are told; their name where Slack knows nobody by it."""
    roles = brand.team.roles
    names = (roles.responder or roles.approver or (who,)) if who == ON_DUTY else (who,)
    return [await _id_of(web, name.strip().lstrip("@")) for name in names]


async def _id_of(web: Web, name: str) -> str:
    if _USER_ID.fullmatch(name):
        return name
    for look_up, called in ((web.group_id, name), (web.channel_id, f"@{name}")):
        try:
            return await look_up(called)
        except NotPosted as refused:
            # No such group, no such person: a name is shown then, and pings nobody.
            log.debug("slack does not know", reason=refused.reason)
    return name


def _team_of(roster: Roster | None, preview: PreviewSlack | None) -> Callable[[], Team]:
    if preview is not None:
        return preview.team
    return lambda: roster.now if roster is not None else Team("")


async def preview_side(brand: Brand, store: Store, *, clock: Clock) -> SlackSide:
    """Slack played on a page of the web desk: the same cards, clicks and answers, and nothing leaves.

    Whoever opens the page is a manager there; Omar and Lea are colleagues with less to say.
    """
    slack = brand.team.slack
    channels = tuple(dict.fromkeys(filter(None, (slack.channel or CARE, slack.managers, slack.leads))))
    preview = PreviewSlack(
        clock,
        channels=channels,
        colleagues={"Omar": Role.APPROVER, "Lea": Role.VIEWER},
        workspace=brand.name,
    )
    side = slack_side(
        brand,
        store,
        clock=clock,
        budget=OwnBudget(clock.now),
        api_url=NOWHERE,
        preview=preview,
        channel=slack.channel or CARE,
        name="preview",
    )
    # The store remembers cards that this preview, being new, does not show.
    async for case in side.cases.every(tuple(WITH_PEOPLE)):
        await side.index.forget(case.id)
        await side.index.dirty(case.id, at=clock.now())
    return side


def circumstances(brand: Brand, clock: Clock) -> Circumstances:
    """What a decision made now is made under."""
    now = clock.now()
    return Circumstances(now, brand.promises(now=now), check_text, count, approvals_of(brand))


# ── the doctor ───────────────────────────────────────────────────────────────────────────────────


async def examine_slack(
    brand: Brand, *, token: str | None, app_token: str | None, api_url: str, by_http: bool = False
) -> list[Check]:
    """What is right with Slack, and what mends what is not."""
    slack = brand.team.slack
    if slack.channel is None and token is None:
        return []
    if token is None:
        fix = "make the app (heard slack manifest), then set HEARD_SLACK__BOT_TOKEN"
        return [Check("Slack", "bad", "HEARD_SLACK__BOT_TOKEN is not set", fix)]
    if slack.channel is None:
        return [Check("Slack", "bad", "no channel for cards", "set team › slack › channel in brand.yaml")]
    async with Web(token, api_url) as web:
        try:
            auth = await web.check_auth()
        except SlackTrouble as trouble:
            return [Check("Slack", "bad", str(trouble), getattr(trouble, "fix", ""))]
        checks = [Check("Slack", "ok", f"workspace {auth.team}")]
        lacking = sorted(SCOPES - auth.scopes)
        if lacking:
            checks.append(
                Check(
                    "Slack",
                    "bad",
                    f"the app lacks {', '.join(lacking)}",
                    "add them under OAuth & Permissions, then install the app again",
                )
            )
        places = dict.fromkeys(filter(None, (slack.channel, slack.managers, slack.leads)))
        checks += [await _reach(web, where) for where in places]
        fix = "write people and channels as Slack has them"
        checks += [Check("Slack", "bad", words, fix) for words in await unknown_to(web, brand)]
        checks += await _people(brand, web)
    if app_token is None and not by_http:
        fix = "Basic information › App-level tokens, scope connections:write; set HEARD_SLACK__APP_TOKEN"
        checks.append(Check("Slack", "bad", "no clicks arrive: HEARD_SLACK__APP_TOKEN is not set", fix))
    return checks


async def _reach(web: Web, where: str) -> Check:
    try:
        await web.channel_id(where)
    except SlackTrouble as trouble:
        return Check("Slack", "bad", f"{where}: {trouble}", getattr(trouble, "fix", ""))
    return Check("Slack", "ok", f"{where} is there")


async def unknown_to(web: Web | PreviewSlack, brand: Brand) -> list[str]:
    """Who is on a ladder and not in Slack, each with its line in brand.yaml.

    Raises:
        SlackTrouble: Slack does not say who is there.
    """
    steps = {
        ("promises", number, "ladder", place, "to"): step.to
        for number, part in enumerate(brand.file.promises)
        for place, step in enumerate(part.ladder or ())
        if step.to[0] in "#@"
    }
    wrong = []
    for location, who in steps.items():
        try:
            await web.channel_id(who)
        except NotPosted as refused:
            wrong.append((location, f"{who}: {refused.words}; nobody would hear of a broken promise there"))
    return said_at(brand, wrong)


async def _people(brand: Brand, web: Web) -> list[Check]:
    try:
        team = await Roster(brand.team.roles, web).resolved()
    except SlackTrouble as trouble:
        return [Check("Slack", "bad", f"team › roles: {trouble}", getattr(trouble, "fix", ""))]
    approvers = team.members.get(Role.APPROVER, frozenset()) | team.members.get(Role.MANAGER, frozenset())
    if not approvers:
        fix = "name people or groups under team › roles › approver in brand.yaml"
        return [Check("Slack", "warn", "nobody may approve in Slack", fix)]
    return [Check("Slack", "ok", f"{len(approvers)} may approve")]
