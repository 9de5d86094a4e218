"""Redis killed and started empty on the same port: what is answered afterwards, without anyone's help."""

from collections import Counter

from tests.benchmarks import guarded, peers
from tests.benchmarks.guarded import Caller, Outcome
from tests.benchmarks.output import log_lines_away
from tests.benchmarks.report import Goal, Section, Table

CALLS = 40
PATIENCE_S = 30.0
HOW = (
    f"Every contender has made its calls before; Redis is then killed (SIGKILL) and started again on the same port, "
    f"without keys and scripts, and each makes {CALLS} calls, one after the other. Failed is what a client sees as "
    "our fault: an exception (which the application would answer with a 500), or a status of 500 or more."
)


def test_restarted_empty(function_redis, report):
    section = Section("restarted-empty", "Redis restarted empty", HOW)
    rows, callers = [], {}
    with log_lines_away():
        for name, needs, make in guarded.everyone(function_redis.url):
            if why := peers.missing(*needs):
                rows.append((name, why, "", ""))
                continue
            callers[name] = Caller(make)
            assert not any(outcome.failed for outcome in _calls(callers[name], 3)), name
        function_redis.restart_empty()
        told = {name: _calls(caller, CALLS) for name, caller in callers.items()}
        for caller in callers.values():
            caller.close()
    rows = [_row(name, outcomes) for name, outcomes in told.items()] + rows
    section.tables.append(
        Table("After the restart", ("contender", f"failed of {CALLS}", "the last one", "what was said"), rows)
    )
    ours = sum(outcome.failed for name, seen in told.items() if name.startswith("Tidegate") for outcome in seen)
    section.goals.append(Goal("calls that fail after Redis restarted empty", str(ours), "0", ours == 0))
    report.add(section)


def _calls(caller: Caller, times: int) -> list[Outcome]:
    outcomes = []
    for _ in range(times):
        caller.begin()
        outcome = caller.outcome(PATIENCE_S)
        assert outcome is not None
        outcomes.append(outcome)
    return outcomes


def _row(name: str, outcomes: list[Outcome]) -> tuple[str, ...]:
    said = ", ".join(f"{what} x{times}" for what, times in Counter(o.said for o in outcomes).most_common())
    failed = sum(outcome.failed for outcome in outcomes)
    return (name, str(failed), "failed" if outcomes[-1].failed else "answered", said)
