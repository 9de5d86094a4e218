"""Take the old form away, once nobody needs it."""

from __future__ import annotations

from functions.migrate import planning, transience
from functions.migrate.faults import said
from functions.migrate.journal import Progress
from functions.migrate.work import Outcome, Work


def contract(work: Work, release: str, oldest: int) -> Outcome:
    """Contract what is due, as far as the time goes; `oldest` is the schema whose form the code still needs."""
    if reason := planning.refusal(work.parts.migrations, work.journal):
        return Outcome("failed", reason)
    now_s = work.parts.clock.wall_s()
    due, waiting = planning.to_contract(work.parts.migrations, work.journal, release, now_s, oldest)
    for migration in due:
        entry = work.journal.entries[migration.number]
        if entry.state != "contracting" or entry.checksum != migration.checksum:
            begun = {"progress": Progress(), "checksum": migration.checksum, "reason": None, "touched": entry.half_way}
            work.change(migration.number, "contracting", **begun)
        try:
            if not work.walk(migration.number, migration.contract):
                return work.more(migration.number)
        except Exception as error:
            if transience.passes(error):
                raise
            reason = f"{migration.name}, contract: {said(error)}"
            work.change(migration.number, "contracting", reason=reason)
            return Outcome("failed", reason)
        work.change(migration.number, "contracted", reason=None, way_back={})
    return Outcome("done", progress={"contracted": [migration.name for migration in due], "waiting": waiting})
