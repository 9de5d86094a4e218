"""What limiters admit under real concurrency, beside what was due."""

from collections.abc import Sequence
from itertools import chain

from tests.benchmarks import deciders, peers
from tests.benchmarks.chart import Panel
from tests.benchmarks.programs import accuracy
from tests.benchmarks.programs.accuracy import COSTLY, ONE, TOKENS, WINDOW, Asked, Case
from tests.benchmarks.report import Goal, Section, Table
from tests.harness.processes import run_at_once

HOW = (
    f"{accuracy.PROCESSES} processes x {accuracy.THREADS} threads ask one limiter about one caller, in Redis, as fast "
    "as they are answered; all begin together. Due is burst + rate x the time from the first call to the last "
    "answer. Of the window the second column is a lower bound: the most admissions whose whole calls, sent to "
    "answered, lay within one second. A limiter may admit less than is due: some of pyrate-limiter's refusals are "
    "of its own lock, which a call that doesn't wait may not get. A sliding window counter spreads the last window's "
    "count evenly over it, so that it may admit more than its limit within some second; a log of requests doesn't, "
    "and nor does Tidegate's sliding window, whose log is of fourteen parts."
)


def test_accuracy(redis_url, report):
    by_worker = run_at_once(
        accuracy.ask,
        redis_url,
        processes=accuracy.PROCESSES,
        threads=accuracy.THREADS,
        prepare=accuracy.prepare,
        deadline_s=150,
    )
    seen = [
        (case, decider.name, [asked[n] for asked in by_worker]) for n, (case, decider) in enumerate(accuracy.jobs())
    ]
    section = Section("accuracy", "Limiter accuracy", HOW)
    exact, windows = [], []
    for case, name, asked in seen:
        (windows if case is WINDOW else exact).append((case, name, asked))
    columns = ("contender", "limit", "asked", "admitted", "due", "admitted / due")
    section.tables = [
        Table("Admitted and due", columns, [_row(*one) for one in exact]),
        Table(
            "Sliding window of 100/s, asked for 3 s",
            ("contender", "most within one second, at least", "due", "admitted in all", "asked"),
            [_window_row(name, asked) for _, name, asked in windows],
        ),
    ]
    section.notes += [f"{d.name}: {why}" for d in deciders.in_redis() if (why := peers.missing(*d.needs))]
    section.goals.append(_goal(exact))
    section.panel = Panel(
        "admitted over due (token bucket, 8 x 4 workers)",
        [(name, _admitted(asked) / _due(case, asked)) for case, name, asked in exact if case is TOKENS],
        goal=1,
        logarithmic=True,
    )
    report.add(section)
    assert all(_calls(asked) > 0 for _, _, asked in seen)


def _goal(exact: Sequence[tuple[Case, str, Sequence[Asked]]]) -> Goal:
    ours = [(case, asked) for case, name, asked in exact if name.startswith("Tidegate")]
    over = [_admitted(asked) > _due(case, asked) for case, asked in ours]
    told = ", ".join(f"{_admitted(asked)} of {_due(case, asked)} due" for case, asked in ours)
    return Goal("token bucket under 8 x 4: never more than due", told, "≤ due", not any(over))


def _due(case: Case, asked: Sequence[Asked]) -> int:
    if case is COSTLY:
        return 0
    if case is ONE:
        return 1
    elapsed = max(one.ended for one in asked) - min(one.began for one in asked)
    return case.rate.depth + int(case.rate.count / case.rate.seconds * elapsed)


def _row(case: Case, name: str, asked: Sequence[Asked]) -> tuple[str, ...]:
    admitted, due = _admitted(asked), _due(case, asked)
    ratio = f"{admitted / due:.2f}" if due else ("none due" if admitted else "-")
    return (name, case.name, str(_calls(asked)), str(admitted), str(due), ratio)


def _window_row(name: str, asked: Sequence[Asked]) -> tuple[str, ...]:
    spans = sorted(chain.from_iterable(one.admitted for one in asked))
    most = max((sum(ended <= sent + 1 for s, ended in spans if s >= sent) for sent, _ in spans), default=0)
    return (name, str(most), str(WINDOW.rate.count), str(len(spans)), f"{_calls(asked):,}")


def _admitted(asked: Sequence[Asked]) -> int:
    return sum(len(one.admitted) for one in asked)


def _calls(asked: Sequence[Asked]) -> int:
    return sum(one.calls for one in asked)
