"""Carries out presses: who pressed, may they, decide, tell. Each once, and whoever pressed is answered.

A press is settled only after its outcome is saved and told. Where that was cut off it comes again, and finds
in the case's timeline what it had done: a move by the same person, right after the version they saw, is its
own. So whatever dies where, there is one decision.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from casework.case import Case, Move, Moved
from casework.decisions import Action, allowed, decide
from casework.errors import (
    Conflict,
    HeardError,
    IllegalMove,
    NoSuchCase,
    TextChanged,
    TryAgainLater,
)
from casework.moves import HEARD
from casework.timeline import TimelineEntry
from casework.words import refused, too_late
from escalation import commands, dialogs, home
from escalation.boards import read_cases
from escalation.cards import thread_line
from escalation.commands import Command
from escalation.home import read_page
from escalation.press_plans import MOVE_OF, STAYS_OPEN, STILL, WAKE, ask_of, needed, plan_of, unbound, wake
from escalation.presses import Press, from_bytes
from escalation.roles import RESUME, Person
from escalation.slack_desk import SlackDesk
from escalation.slack_payload import Payload, View, esc, section
from escalation.slack_web import NotPosted, SlackTrouble
from streams.connection import LOST, NO_STORE
from streams.presses import Stored

log = structlog.get_logger(__name__)

TRIES: Final = 5
"""So often a press is tried that fails for no reason we know; then it is a dead letter."""
PATIENT_TRIES: Final = 60
"""So often one is that waits for Slack: half an hour, at one every 30 s."""
AT_ONCE: Final = 48
"""So many are carried out beside each other: the store's client has 100 connections for everybody."""
CANDIDATES: Final = 5
GONE: Final = "This card belongs to a case that is not here any more."
CHANGED: Final = "The draft changed while you were reading. Read the new text before you approve it."
_LONGEST: Final = 1_500
_MENTION: Final = re.compile(r"<@([A-Z0-9]+)>")
_DONE: Final = {
    "edit.submit": "The reply is approved. Its card shows what becomes of it.",
    "note.submit": "The note is in the card's thread.",
    "posted.submit": "The case is answered, by hand.",
}
_SAVED: Final = "Your text is saved as the draft. It goes out once a colleague approves it."


class Own(str):
    """Words that Slack may parse: ours, with nothing of a stranger in them."""

    __slots__ = ()


class PressWorker:
    """Takes presses from the box. Any number may run.

    ``name`` is one's own among those that run, the same after a restart. ``rests_s`` is how long it waits
    for a store that is lost; ``view_after_s`` for Slack to have drawn what a dialog's acknowledgement said.
    """

    def __init__(
        self,
        desk: SlackDesk,
        *,
        name: str,
        wait_ms: int = 500,
        rests_s: float = 1.0,
        view_after_s: float = 0.3,
    ) -> None:
        self._desk = desk
        self._rests_s = rests_s
        self._view_after_s = view_after_s
        self._name = name
        self._wait_ms = wait_ms
        self._running: dict[str, asyncio.Task[None]] = {}
        self._last: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Carry out presses until cancelled, through lost stores."""
        began = False
        try:
            while True:
                _end_if_cancelled()
                try:
                    left = [] if began else await self._desk.box.left_by(self._name)
                    began = True
                    for stored in left or await self._desk.box.take(self._name, wait_ms=self._wait_ms):
                        await self._start(stored)
                    await self._redraw_ended_leases()
                except LOST as error:
                    log.warning("store lost, trying again", error=type(error).__name__)
                    await asyncio.sleep(self._rests_s)
        finally:
            for task in list(self._running.values()):
                task.cancel()

    async def step(self) -> int:
        """Carry out what lies there now, in order; returns how many presses that were."""
        found = await self._desk.box.take(self._name, wait_ms=self._wait_ms)
        for stored in found:
            await self.carry_out(stored)
        return len(found)

    async def _start(self, stored: Stored) -> None:
        """Beside others; the presses about one case one after another, as they were pressed."""
        if stored.entry in self._running:
            return
        await self._room.acquire()
        about = _about(stored)
        task = asyncio.create_task(self._after(self._last.get(about), stored))
        self._running[stored.entry] = self._last[about] = task
        task.add_done_callback(partial(self._ended, stored.entry, about))

    def _ended(self, entry: str, about: str, task: asyncio.Task[None]) -> None:
        self._room.release()
        self._running.pop(entry, None)
        if self._last.get(about) is task:
            del self._last[about]
        if not task.cancelled() and task.exception() is not None:
            log.error("press left behind", error=type(task.exception()).__name__)

    async def _after(self, before: asyncio.Task[None] | None, stored: Stored) -> None:
        if before is not None:
            await asyncio.wait([before])
        await self.carry_out(stored)

    async def _redraw_ended_leases(self) -> None:
        for case_id in await self._desk.locks.ended(self._desk.clock.now()):
            await self._desk.changed(case_id)

    # ── one press ────────────────────────────────────────────────────────────────────────────────

    async def carry_out(self, stored: Stored) -> None:
        """Do what a press asks, say what became of it, and settle it; else it stays for another try."""
        try:
            press = from_bytes(stored.body)
        except ValueError:
            await self._bury(stored, "unknown", "it cannot be read")
            return
        try:
            await self._do(press, again=stored.attempts > 1)
        except NO_STORE as error:
            log.warning("store lost while a press was carried out", error=type(error).__name__)
        except TryAgainLater as later:
            await self._later(stored, press, later)
        except Exception as error:
            await self._failed(stored, press, error)
        else:
            await self._desk.box.settle(stored.entry)

    async def _later(self, stored: Stored, press: Press, later: TryAgainLater) -> None:
        """Not now: it comes again. What Slack will never take is let go; what was decided stands."""
        reason = later.reason if isinstance(later, SlackTrouble) else type(later).__name__
        if isinstance(later, NotPosted) and later.permanent:
            log.warning("press told to nobody", press=press.id[:8], action=press.action, reason=reason)
            await self._desk.box.settle(stored.entry)
        elif stored.attempts >= PATIENT_TRIES:
            await self._bury(stored, press.action, f"Slack took no answer: {reason}")
        else:
            log.info("press waits", press=press.id[:8], action=press.action, reason=reason)

    async def _failed(self, stored: Stored, press: Press, error: Exception) -> None:
        """Nobody knows why: a number for the person and for the log, and another try."""
        number = error_number(press)
        last = stored.attempts >= TRIES
        log.error(
            "press failed",
            number=number,
            action=press.action,
            case=press.case,
            attempt=stored.attempts,
            error=type(error).__name__,
            where=_where(error),
        )
        try:
            if stored.attempts == 1 or last:
                await self._tell(press, Own(unexpected(number, given_up=last)))
        except TryAgainLater:
            log.warning("press failed, and nobody could be told", number=number)
        if last:
            await self._bury(stored, press.action, f"{number}: {type(error).__name__}")

    async def _bury(self, stored: Stored, action: str, why: str) -> None:
        # Its name and nothing that somebody wrote: dead letters are shown and kept.
        at = self._desk.clock.now()
        await self._desk.dead.bury_line("slack presses", f"{action} {stored.entry}", why, at=at)
        await self._desk.box.settle(stored.entry)

    async def _do(self, press: Press, *, again: bool) -> None:
        if press.action.startswith("practice."):
            await self._tell(press, Own(home.practised(press.action, self._desk.look())))
        elif press.action == "edit.closed":
            await self._let_go(press)
        else:
            await self._asked(press, again=again)

    async def _let_go(self, press: Press) -> None:
        """Somebody left the editor: their lease ends, and their card says so no more."""
        if await self._desk.locks.release(press.case, press.by):
            await self._desk.changed(press.case)

    async def _asked(self, press: Press, *, again: bool) -> None:
        try:
            person = await self._desk.web.person(press.by)
        except NotPosted as refusal:
            if not refusal.permanent:
                raise
            await self._tell(press, f"Slack does not say who you are, so nothing was done. {refusal}")
            return
        steps = plan_of(press)
        if steps:
            await self._decide(press, person, steps, again=again)
        elif press.action == "breach.ack":
            await self._acknowledge(press, person)
        elif press.action == "spike.resume":
            await self._resume_automatic(press, person)
        elif press.action == "next_case":
            await self._next(press, person, again=again)
        elif press.kind == "command":
            await self._command(press, person, again=again)
        elif press.action.startswith("home."):
            await self._home(press, person, again=again)
        else:
            await self._tell(press, _NO_CASE if press.action == "make_case" else _NOTHING)

    # ── deciding ─────────────────────────────────────────────────────────────────────────────────

    async def _decide(self, press: Press, person: Person, steps: Sequence[str], *, again: bool) -> None:
        """Make the moves of a press about a case, or say why not."""
        team = self._desk.team()
        objection = team.objection(person, needed(press, steps[0]))
        if objection is not None:
            await self._lost(press, Own(objection), known=bool(press.case))
            return
        # Who may write and not publish has it saved; an approver reads it on the card (T5).
        steps = [step for step in steps if team.objection(person, needed(press, step)) is None]
        name = await self._desk.name(person)
        try:
            press = await self._with_receiver(press)
            case = await self._move(press, name, steps, again=again)
        except NoSuchCase:
            await self._lost(press, GONE, known=False)
        except Conflict as conflict:
            await self._lost(press, await self._too_late(press, name, conflict))
        except TryAgainLater:
            raise
        except HeardError as error:
            await self._lost(press, CHANGED if isinstance(error, TextChanged) else refused(error))
        else:
            await self._won(press, name, case, steps)

    async def _with_receiver(self, press: Press) -> Press:
        """An `assign` names a person of Slack: here they get the name under which they own cases."""
        if press.action != "assign.submit":
            return press
        receiver = await self._desk.web.person(press.to)
        objection = self._desk.team().objection(receiver, Action.TAKE)
        if objection is not None:
            raise HeardError(f"{receiver.name} cannot be given a case: they may not take one")
        return replace(press, to=await self._desk.name(receiver))

    async def _move(self, press: Press, name: str, steps: Sequence[str], *, again: bool) -> Case:
        made, version = await self._made_before(press, name, steps) if again else (0, press.version)
        case = None
        for step in steps[made:]:
            if step == Action.APPROVE and press.action == "edit.submit" and await self._is_for_two(press):
                break
            bound = version if version and not unbound(press, step) else None
            decided = partial(self._moved, press, name, step)
            case = await self._desk.cases.move(press.case, decided, seen_version=bound)
            version = case.version
        return case or await self._desk.cases.load(press.case)

    async def _is_for_two(self, press: Press) -> bool:
        """Whether who wrote a text may not approve it: with two needed, their own approval does not count."""
        case = await self._desk.cases.load(press.case)
        return self._desk.circumstances().approvals(case) > 1

    def _moved(self, press: Press, name: str, step: str, case: Case) -> Moved:
        if step == WAKE:
            return wake(case, name, self._desk.clock.now())
        ask = ask_of(press, step, name, case, self._desk.look().timezone)
        return decide(case, Action(step), ask, self._desk.circumstances())

    async def _made_before(self, press: Press, name: str, steps: Sequence[str]) -> tuple[int, int]:
        """How many of its moves a press had made before it was cut off, and the version after them."""
        since = await self._since(press)
        if unbound(press, steps[0]):
            said = [e for e in since if _is_by(e, name, steps[0])]
            if steps[0] == Action.NOTE:
                said = [e for e in said if e.detail == press.text.strip()]
            return len(said[:1]), press.version
        made, version = 0, press.version
        for entry, step in zip(since, steps, strict=False):
            if not _is_by(entry, name, step):
                break
            made, version = made + 1, entry.version
        return made, version

    async def _since(self, press: Press) -> list[TimelineEntry]:
        """What happened to a case since the version that was seen, beside the clock's own looking."""
        entries = await self._desk.cases.timeline(press.case)
        looked = {Move.WAKE, Move.TELL}
        since = [
            entry
            for entry in entries
            if entry.version > press.version and not (entry.by == HEARD and entry.what in looked)
        ]
        return since if press.version else since[-1:]

    async def _won(
        self, press: Press, name: str, case: Case, steps: Sequence[str], *, aloud: bool = True
    ) -> None:
        if press.action == "edit.submit":
            await self._desk.locks.release(case.id, press.by)
        elif Action.TAKE in steps and press.action != STILL:
            await self._desk.locks.release(case.id)
        await self._desk.changed(case.id)
        entries = await self._entries(press, name, steps)
        if press.action in STAYS_OPEN and press.view:
            words = _DONE[press.action] if len(entries) == len(plan_of(press)) else _SAVED
            await self._update_view(press, dialogs.done("Done", _SAVED if press.then == "review" else words))
        elif aloud and not await self._on_its_card(press, case):
            await self._tell(press, Own(f"Done. {commands.line(case, self._desk.look())}"))
        for entry in entries:
            told = thread_line(case, entry)
            if told is not None:
                # Under the entry's own key: whoever says it again says it once.
                await self._desk.threads.say(case, told, f"{entry.version}")

    async def _on_its_card(self, press: Press, case: Case) -> bool:
        """Whether whoever pressed sees the card change: then it needs no words."""
        card = await self._desk.index.of(case.id)
        return card is not None and bool(press.ts) and press.ts == card.ts

    async def _entries(self, press: Press, name: str, steps: Sequence[str]) -> list[TimelineEntry]:
        """The lines of the timeline that a press made."""
        moves = {MOVE_OF[step] for step in steps}
        found = [
            entry
            for entry in await self._desk.cases.timeline(press.case)
            if entry.version > press.version and entry.by == name and entry.what in moves
        ]
        return found[: len(steps)] if press.version else found[-len(steps) :]

    async def _too_late(self, press: Press, name: str, conflict: Conflict) -> str:
        """Who was faster, in a sentence: a person's move before what Heard did after it."""
        since = await self._since(press)
        by_people = [entry for entry in since if entry.by != HEARD]
        faster = by_people[-1] if by_people else next(iter(since[-1:]), None)
        at = faster.at if faster else None
        if faster is not None:
            conflict = Conflict(press.case, version=faster.version, won_by=faster.by, move=faster.what)
        said = too_late(conflict, at, now=self._desk.clock.now(), you=name)
        (case,) = await self._desk.cases.load_all([press.case])
        shown = case is None or case.draft is None or case.draft.sha256.startswith(press.draft)
        return said if shown or not press.draft else f"{said} {CHANGED}"

    async def _lost(self, press: Press, words: str, *, known: bool = True) -> None:
        """Say why nothing was done, and show the card as it is."""
        if press.action == "edit.submit":
            await self._desk.locks.release(press.case, press.by)
        if known and press.case:
            await self._desk.changed(press.case)
        if press.action in STAYS_OPEN and press.view:
            told = dialogs.failed(_MENTION.sub(r"@\1", words), typed=press.text)
            if await self._update_view(press, told):
                return
        await self._tell(press, words)

    async def _acknowledge(self, press: Press, person: Person) -> None:
        """A manager heard the alarms that a board names: those still ringing are quiet."""
        objection = self._desk.team().objection(person, Action.HUSH)
        if objection is not None:
            await self._tell(press, Own(objection))
            return
        name = await self._desk.name(person)
        named = (press.case,) if press.case else read_cases(press.text)
        for case in await self._desk.cases.load_all(named):
            if case is not None and Move.HUSH in allowed(case):
                about = replace(press, case=case.id, version=case.version)
                hushed = await self._desk.cases.move(case.id, partial(self._moved, about, name, Action.HUSH))
                await self._won(replace(about, ts="", view=""), name, hushed, (Action.HUSH,), aloud=False)
        await self._desk.redraw_board(press.channel, press.ts)
        await self._tell(
            press, "Acknowledged: nobody else is called. A broken promise stays so until answered."
        )

    # ── the next one ─────────────────────────────────────────────────────────────────────────────

    async def _next(self, press: Press, person: Person, *, again: bool) -> None:
        """Give somebody the most urgent case that nobody has."""
        objection = self._desk.team().objection(person, Action.TAKE)
        if objection is not None:
            await self._tell(press, Own(objection))
            return
        name = await self._desk.name(person)
        taken = await self._taken_before(press, name) if again else None
        taken = taken or await self._take_one(press, name)
        if taken is None:
            await self._tell(press, "Every case that waits has an owner.")
            return
        await self._won(replace(press, case=taken.id, version=taken.version - 1), name, taken, (Action.TAKE,))

    async def _taken_before(self, press: Press, name: str) -> Case | None:
        chosen = await self._desk.box.chosen(press.id)
        (case,) = await self._desk.cases.load_all([chosen]) if chosen else (None,)
        return case if case is not None and case.owner == name else None

    async def _take_one(self, press: Press, name: str) -> Case | None:
        free = [case for case in await self._desk.waiting() if case.owner is None]
        for case in free[:CANDIDATES]:
            await self._desk.box.choose(press.id, case.id)
            about = replace(press, case=case.id, version=case.version)
            try:
                return await self._move(about, name, (Action.TAKE,), again=False)
            except (Conflict, IllegalMove):
                continue
        return None

    # ── App Home and /heard ──────────────────────────────────────────────────────────────────────

    async def _home(self, press: Press, person: Person, *, again: bool) -> None:
        part = press.action.removeprefix("home.")
        if part == "more.help":
            await self._tell(press, Own(commands.helped()))
            return
        objection = self._desk.team().objection(person, commands.NEEDS["queue"])
        if objection is not None:
            await self._tell(press, Own(objection))
            return
        if part == "next":
            await self._next(press, person, again=again)
        elif part == "more.health":
            await self._tell(press, await self._answer(Command("health"), ""))
        name = await self._desk.name(person)
        await self._desk.web.publish_home(press.by, await self._desk.home_of(name, read_page(press.text)))

    async def _command(self, press: Press, person: Person, *, again: bool) -> None:
        command = commands.read_command(press.text)
        if command.word in ("", "help"):
            typed = press.text.split()[0] if command.word == "" else ""
            await self._tell(press, Own(commands.helped(typed, command.meant)))
            return
        objection = self._desk.team().objection(person, commands.NEEDS[command.word])
        if objection is not None:
            await self._tell(press, Own(objection))
        elif command.word == "take" and command.case:
            about = replace(press, case=command.case)
            await self._decide(about, person, (Action.TAKE,), again=again)
        elif command.word == "take":
            await self._next(press, person, again=again)
        else:
            await self._tell(press, await self._answer(command, await self._desk.name(person)))

    async def _answer(self, command: Command, name: str) -> str:
        desk, look = self._desk, self._desk.look()
        match command.word:
            case "queue":
                return Own(commands.listed(await desk.waiting(), look, nothing="No case waits."))
            case "mine":
                own = [case for case in await desk.waiting() if case.owner == name]
                return Own(commands.listed(own, look, nothing="Nothing waits for you."))
            case "case":
                (found,) = await desk.cases.load_all([command.case]) if command.case else (None,)
                missing = "There is no such case. Write it as `/heard case C-123`."
                return Own(commands.line(found, look) if found else missing)
            case "sla":
                return Own(commands.promises(await desk.waiting(), await desk.cases.counts(), look))
            case "who":
                return Own(commands.who(desk.team()))
            case "digest":
                return await desk.digest()
            case "pause" | "resume":
                return await self._switch(command, name)
            case _:
                return "\n".join(await desk.health()) or "Nothing is known to be wrong."

    async def _switch(self, command: Command, name: str) -> str:
        if command.rest:
            return "Only everything can be stopped: write pause or resume alone. A pause lasts until resume."
        if command.word == "pause":
            await self._desk.switch.pause(name)
            return "All replies are stopped. Write /heard resume to let them go on."
        await self._desk.switch.resume(name)
        return "Replies go on."

    async def _resume_automatic(self, press: Press, person: Person) -> None:
        """After a spike automatic replies go on; what stops all sending is not touched."""
        objection = self._desk.team().objection(person, RESUME)
        if objection is not None:
            await self._tell(press, Own(objection))
            return
        resumed = await self._desk.switch.resume_automatic(await self._desk.name(person))
        words = "Automatic replies go on." if resumed else "Automatic replies were not paused any more."
        if await self._desk.switch.paused_by() is not None:
            words += " But all replies are stopped: write /heard resume to let them go on."
        await self._tell(press, words)

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    async def _tell(self, press: Press, words: str) -> None:
        """Answer whoever pressed: where they pressed, else in a direct message."""
        said = words if isinstance(words, Own) else "\n".join(esc(one, _LONGEST) for one in words.split("\n"))
        if press.channel and not press.channel.startswith("D"):
            try:
                await self._desk.web.ephemeral(press.channel, press.by, said, press.thread_ts)
            except NotPosted as refusal:
                if not refusal.permanent:
                    raise
                if refusal.reason == "not_in_channel":
                    said += f"\nHeard is not in <#{esc(press.channel)}>: write /invite @heard there."
            else:
                return
        await self._desk.web.post(press.by, Payload(said, (section(said, "told"),)))

    async def _update_view(self, press: Press, view: View) -> bool:
        """Show the outcome in the dialog; False when nobody looks at it any more."""
        # It still shows what the acknowledgement brings; that on top of this would stay for ever.
        await asyncio.sleep(self._view_after_s)
        try:
            await self._desk.web.update_view(press.view, view)
        except NotPosted as refusal:
            if not refusal.permanent:
                raise
            return False
        return True


_NOTHING: Final = "This button does nothing here. It may be of another version of Heard."
_NO_CASE: Final = (
    "Heard takes in posts by itself, from the platforms that it listens to, and makes no case of a message. "
    "If a post is missing, check what it listens for: heard doctor."
)


def _end_if_cancelled() -> None:
    """End where a cancellation was swallowed: redis-py sends through `asyncio.wait_for`, which before
    Python 3.12 forgets one that comes as it is done (measured: 26 of 300).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def error_number(press: Press) -> str:
    """What the person is told and the log says, the same for each try."""
    return f"err-{press.id[:6]}"


def unexpected(number: str, *, given_up: bool) -> str:
    """What somebody reads when nobody knows what went wrong."""
    then = "Heard gave up on it" if given_up else "Heard tries it again"
    return f"Something went wrong with your click, and {then}. Quote `{number}` to your admin."


def _is_by(entry: TimelineEntry, name: str, step: str) -> bool:
    return entry.by == name and entry.what == MOVE_OF[step]


def _about(stored: Stored) -> str:
    """The case that a press is about, so that those about one stay in order."""
    try:
        press = from_bytes(stored.body)
    except ValueError:
        return ""
    return press.case or press.id


def _where(error: Exception) -> str:
    """Where it was raised. Its words may hold a post's."""
    trace, where = error.__traceback__, ""
    while trace is not None:
        where = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where
