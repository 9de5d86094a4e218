"""Redis hung (SIGSTOP: accepts and never answers): how long one call takes to be answered at all."""

import time

from tests.benchmarks import guarded, peers
from tests.benchmarks.guarded import Caller, Outcome
from tests.benchmarks.output import log_lines_away
from tests.benchmarks.report import Goal, Section, Table

CAP_S = 10.0
HOW = (
    "Every contender has made its calls before, with the timeouts that it has when nobody sets any (redis-py's, for "
    f"the peers). Redis is then stopped (SIGSTOP), and each is called twice; after {CAP_S:.0f} s we "
    f"stop waiting. A peer with timeouts set by hand would be as slow as those, and answer as "
    "its error says."
)


def test_hung(function_redis, report):
    section = Section("hung", "Redis hung", HOW)
    rows, callers = [], {}
    with log_lines_away():
        for name, needs, make in guarded.everyone(function_redis.url):
            if why := peers.missing(*needs):
                rows.append((name, why, "", "", ""))
                continue
            callers[name] = Caller(make)
            for _ in range(3):
                outcome = _all_call({name: callers[name]})[name]
                assert outcome is not None
                assert not outcome.failed, name
        function_redis.stop()
        # Ours first and alone: its budget is milliseconds, and the others' waiting threads would be in its way.
        ours = {name: caller for name, caller in callers.items() if name.startswith("Tidegate")}
        theirs = {name: caller for name, caller in callers.items() if name not in ours}
        first, second = _one_by_one(ours), _one_by_one(ours)
        first |= _all_call(theirs)
        second |= _all_call({name: caller for name, caller in theirs.items() if first[name] is not None})
        function_redis.cont()
        for caller in callers.values():
            caller.close()
    rows = [_row(name, first[name], second.get(name)) for name in callers] + rows
    columns = ("contender", "first call", "answer", "second call", "answer")
    section.tables.append(Table("Time to an answer while Redis hangs", columns, rows))
    slowest = max(first[name].seconds if first[name] else CAP_S for name in ours) * 1000
    section.goals.append(
        Goal("slowest answer of the first calls with Redis hung", f"{slowest:.0f} ms", "≤ 60 ms", slowest <= 60)
    )
    report.add(section)


def _one_by_one(callers: dict[str, Caller]) -> dict[str, Outcome | None]:
    return {name: _all_call({name: caller})[name] for name, caller in callers.items()}


def _all_call(callers: dict[str, Caller]) -> dict[str, Outcome | None]:
    for caller in callers.values():
        caller.begin()
    ends = time.monotonic() + CAP_S
    return {name: caller.outcome(ends - time.monotonic()) for name, caller in callers.items()}


def _row(name: str, first: Outcome | None, second: Outcome | None) -> tuple[str, ...]:
    return (name, *_shown(first), *(("-", "-") if first is None else _shown(second)))


def _shown(outcome: Outcome | None) -> tuple[str, str]:
    if outcome is None:
        return f"> {CAP_S:.0f} s", "none"
    return (f"{outcome.seconds * 1000:,.0f} ms", outcome.said)
