"""What a run of the simulated releases says: tables on the terminal, docs/judge.md and docs/judge.png."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks.chart import Panel, draw
from tests.simulation.releases import OURS, RULES, Outcome
from tests.simulation.releases_peers import LEVEL, MOST_ERRORS, MOST_P95, Judged
from tests.simulation.releases_world import BASE_ERRORS, KINDS, REQUESTS_PER_S

MOST_FALSE, MOST_MISSED = 0.01, 0.05
# Below, most releases are too short of requests for any rule to know.
ENOUGH_PER_S = 10


class Row(NamedTuple):
    """Some releases under one rule; shares of wrong verdicts are of those that got one (pass or fail).

    The medians are of the canary's requests and the seconds until the right verdict.
    """

    rule: str
    what: str
    releases: int
    wrong: int
    decided: int
    inconclusive: int
    requests: float | None
    seconds: float | None

    @property
    def wrong_share(self) -> float | None:
        return self.wrong / self.decided if self.decided else None


class Table(NamedTuple):
    title: str
    wrong: str
    rows: Sequence[Row]


def tables(outcomes: Sequence[Outcome]) -> list[Table]:
    """Sum a run up."""
    good = [outcome for outcome in outcomes if outcome.kind.good]
    bad = [outcome for outcome in outcomes if not outcome.kind.good]
    false, missed = "false rollbacks", "missed"
    return [
        Table("All good releases", false, [row(rule, "good", good) for rule in RULES]),
        Table("All bad releases", missed, [row(rule, "bad", bad) for rule in RULES]),
        Table(f"Good releases from {ENOUGH_PER_S} requests/s on", false, list(_by_rule("good", good))),
        Table(f"Bad releases from {ENOUGH_PER_S} requests/s on", missed, list(_by_rule("bad", bad))),
        Table("Good releases by kind", false, list(_by_kind(good, good=True))),
        Table("Bad releases by kind", missed, list(_by_kind(bad, good=False))),
        Table("Tidegate by traffic: good releases", false, list(_by_traffic(good))),
        Table("Tidegate by traffic: bad releases", missed, list(_by_traffic(bad))),
        Table("Tidegate by stable's error rate: good releases", false, list(_by_base(good))),
        Table("Tidegate by stable's error rate: bad releases", missed, list(_by_base(bad))),
    ]


def holds(outcomes: Sequence[Outcome]) -> bool:
    """Whether the promise held: false rollbacks and missed regressions of ours, of those that got a verdict."""
    first, second = tables(outcomes)[:2]
    return (first.rows[0].wrong_share or 0) <= MOST_FALSE and (second.rows[0].wrong_share or 0) <= MOST_MISSED


def row(rule: str, what: str, outcomes: Sequence[Outcome]) -> Row:
    """Sum up one rule's words on some releases, which are all good or all bad."""
    said = [outcome.said[rule] for outcome in outcomes]
    count = Counter(judged.outcome for judged in said)
    right, wrong = ("pass", "fail") if outcomes and outcomes[0].kind.good else ("fail", "pass")
    rightly = [judged for judged in said if judged.outcome == right]
    return Row(
        rule,
        what,
        len(said),
        count[wrong],
        count["pass"] + count["fail"],
        count["inconclusive"],
        _median(rightly, lambda judged: judged.requests),
        _median(rightly, lambda judged: judged.seconds),
    )


def _median(said: Sequence[Judged], figure: Callable[[Judged], int]) -> float | None:
    return median(map(figure, said)) if said else None


def _by_rule(what: str, outcomes: Sequence[Outcome]) -> Iterator[Row]:
    some = [outcome for outcome in outcomes if outcome.requests_per_s >= ENOUGH_PER_S]
    yield from (row(rule, what, some) for rule in RULES)


def _by_kind(outcomes: Sequence[Outcome], *, good: bool) -> Iterator[Row]:
    for kind in KINDS:
        if kind.good is good:
            some = [outcome for outcome in outcomes if outcome.kind == kind]
            yield from (row(rule, kind.name, some) for rule in RULES)


def _by_traffic(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    for per_s in REQUESTS_PER_S:
        yield row(OURS, f"{per_s:g} requests/s", [o for o in outcomes if o.requests_per_s == per_s])


def _by_base(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    for base in BASE_ERRORS:
        yield row(OURS, f"{base:.1%} errors", [o for o in outcomes if o.base_errors == base])


def as_text(found: Sequence[Table]) -> Iterator[str]:
    """Write the tables for a terminal."""
    for table in found:
        yield f"\n{table.title}"
        yield f"  {'':<28}{'':<24}{table.wrong:>16}{'inconclusive':>14}{'requests':>10}{'seconds':>9}{'releases':>10}"
        for row in table.rows:
            wrong, rest = _cells(row)[2], _cells(row)[3:]
            yield f"  {row.what:<28}{row.rule:<24}{wrong:>16}" + "".join(
                f"{cell:>{width}}" for cell, width in zip(rest, (14, 10, 9, 10), strict=True)
            )


def _cells(row: Row) -> list[str]:
    wrong = "-" if row.wrong_share is None else f"{row.wrong_share:.2%}"
    figures = ["-" if figure is None else f"{figure:,.0f}" for figure in (row.requests, row.seconds)]
    return [row.what, row.rule, wrong, f"{row.inconclusive / max(1, row.releases):.1%}", *figures, f"{row.releases:,}"]


def write(found: Sequence[Table], outcomes: Sequence[Outcome], seed: int, folder: Path) -> str:
    """Write docs/judge.md and its picture; returns what was written."""
    draw(_panels(found), folder / "judge.png")
    (folder / "judge.md").write_text("\n".join(_markdown(found, len(outcomes), seed)) + "\n", encoding="utf-8")
    return "docs/judge.md, docs/judge.png"


def _panels(found: Sequence[Table]) -> list[Panel]:
    good, bad, _, _, _, _, traffic_good, traffic_bad = found[:8]
    return [
        Panel("False rollbacks of good releases, %", _bars(good, "wrong"), MOST_FALSE * 100),
        Panel("Missed regressions, %", _bars(bad, "wrong"), MOST_MISSED * 100),
        Panel("Canary requests until a bad release is stopped (median)", _bars(bad, "requests")),
        Panel("Seconds until a bad release is stopped (median)", _bars(bad, "seconds")),
        Panel("Inconclusive good releases by traffic, %", _bars(traffic_good, "inconclusive")),
        Panel("Inconclusive bad releases by traffic, %", _bars(traffic_bad, "inconclusive")),
    ]


def _bars(table: Table, figure: str) -> list[tuple[str, float]]:
    single = len({row.rule for row in table.rows}) == 1
    return [(f"{row.rule}, {row.what}" if single else row.rule, _figure(row, figure)) for row in table.rows]


def _figure(row: Row, figure: str) -> float:
    shares = {"wrong": row.wrong_share or 0, "inconclusive": row.inconclusive / max(1, row.releases)}
    return shares[figure] * 100 if figure in shares else float(getattr(row, figure) or 0)


def _markdown(found: Sequence[Table], releases: int, seed: int) -> Iterator[str]:
    yield f"""# The judge, on simulated releases

Written by `python -m tests.simulation.releases --seed {seed} --releases {releases} --write`; every number is of that \
run. Each release is led through the default plan (1 %, 10 % and 50 %) as the state machine does it, and looked at \
every five seconds. Traffic is from {REQUESTS_PER_S[0]:g} to {REQUESTS_PER_S[-1]:,.0f} requests a second, stable's \
error rate from {BASE_ERRORS[0]:.0%} to {BASE_ERRORS[-1]:.0%}, latency lognormal in three shapes, all of it in equal \
parts.

- **same**: no difference. **small drifts**: errors 1.25 times, latency 1.15 times stable's. \
**shared bursts**: error rates that vary by the minute, and one minute in ten with ten points more errors and twice \
the latency, in both versions.
- **errors x4**: at a base of 0 the canary fails 5 %. **p95 x4, p50 x1**: 12 % of the requests are slower, such that \
p95 is four times stable's. **at 50 % only**: as good as stable in the steps before.
- **false rollbacks, missed**: of the releases that got a verdict (pass or fail). **inconclusive**: of all; at the \
last step's end there was no proof either way, and the plan says what then. The peers' rules know no such verdict.
- **requests, seconds**: until the right verdict, in the median; requests are the canary's.
- **any-error alarm**: a minute with one failed canary request. **fixed threshold alarm**: a minute with more than \
{MOST_ERRORS:.0%} of the canary's requests failed, or a p95 above {MOST_P95:g} times the usual one, which it knows. \
**fixed-size test**: at the end of each step of five minutes, Fisher's test or a z-test of failed requests and of \
requests slower than stable's p95, at {LEVEL:.0%} each.

The promise is at most {MOST_FALSE:.0%} false rollbacks and at most {MOST_MISSED:.0%} missed regressions.

![The judge beside alarms and a fixed-size test](judge.png)
"""
    for table in found:
        yield f"## {table.title}\n"
        yield f"| releases | rule | {table.wrong} | inconclusive | requests | seconds | how many |"
        yield "|---|---|---:|---:|---:|---:|---:|"
        for row in table.rows:
            yield f"| {' | '.join(_cells(row))} |"
        yield ""
