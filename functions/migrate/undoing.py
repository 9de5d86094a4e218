"""Take back what was expanded, where that is declared safe."""

from __future__ import annotations

from collections.abc import Iterable

from functions.migrate import leftovers, planning, transience
from functions.migrate.faults import said
from functions.migrate.journal import Progress
from functions.migrate.work import Outcome, Work


def down(work: Work, release: str | None, floor: int) -> Outcome:
    """Take back what a release expanded, the newest first, and nothing that is at or below a schema."""
    files, journal = work.parts.migrations, work.journal
    kept = planning.kept(files, journal, release, floor)
    begin(work, [undo.number for undo in planning.to_undo(files, journal, release, floor)])
    outcome = go_on(work)
    if outcome.status != "done":
        return outcome
    return outcome._replace(progress={**outcome.progress, **({"kept": kept} if kept else {})})


def begin(work: Work, numbers: Iterable[int]) -> None:
    """Write down what is to be taken back; from now on it isn't in force."""
    for number in numbers:
        entry = work.journal.entries[number]
        if entry.state == "undoing":
            continue
        if entry.touched or entry.state == "expanded":  # code that was written for it has written it, too
            work.change(number, "undoing", progress=Progress(), touched=True)
        else:
            end(work, number)


def end(work: Work, number: int) -> None:
    """Write down that no item is any more as a migration has made it."""
    after = work.journal.entries[number].ended
    work.enter(number, after._replace(since_s=work.parts.clock.wall_s()))


def go_on(work: Work) -> Outcome:
    """Take back what was begun to be, as far as the time goes."""
    undone: list[str] = []
    files = work.parts.migrations
    for number, entry in work.journal.newest_first():
        if entry.state != "undoing" or leftovers.mending(files, number, entry, work.journal):
            continue
        back = leftovers.way_back(files, number, entry)
        if back.why_not:
            return Outcome("failed", leftovers.refusal(files, work.journal) or f"{entry.name}: {back.why_not}")
        try:
            if not work.walk(number, back.backfill):
                return work.more(number)
        except Exception as error:
            if transience.passes(error):
                raise
            return _fail(work, number, error)
        end(work, number)
        undone.append(entry.name)
    return Outcome("done", progress={"undone": undone})


def _fail(work: Work, number: int, error: Exception) -> Outcome:
    entry = work.journal.entries[number]
    reason = f"{entry.name}, down: {said(error)}"
    reason = f"{entry.reason}; {reason}" if entry.reason else reason
    work.change(number, "failed", reason=reason)
    return Outcome("failed", reason)
