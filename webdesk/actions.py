"""Carries out on the store what somebody at the desk decides."""

from dataclasses import replace

from casework.case import Case
from casework.decisions import Action, Ask, decide, problems_of
from casework.decisions import Refused as Refused
from webdesk.desk import Desk


async def perform(desk: Desk, case_id: str, action: Action, ask: Ask) -> Case:
    """Make the move, unless a person changed the case since ``ask.version``.

    Raises:
        Refused: something is missing or wrong in ``ask``.
        Conflict: somebody was faster.
        HeardError: the move is not allowed, or there is no such case.
    """
    problems = problems_of(action, ask, desk.clock.now())
    if problems:
        raise Refused(*problems)
    return await desk.store.move(
        case_id, lambda case: decide(case, action, ask, desk.circumstances()), seen_version=ask.version
    )


async def edit_and_send(desk: Desk, case_id: str, ask: Ask) -> Case:
    """Save a person's own text and approve exactly it."""
    edited = await perform(desk, case_id, Action.EDIT, ask)
    sha256 = edited.draft.sha256 if edited.draft else ""
    again = replace(ask, version=edited.version, draft_sha256=sha256)
    return await perform(desk, case_id, Action.APPROVE, again)
