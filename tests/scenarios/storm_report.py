"""What storms looked like: live, as a table, as charts in HTML and PNG, and in Markdown."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests.harness.redis_server import RedisServer
from tests.scenarios import storm_chart
from tests.scenarios.storm_load import MIX, Asked, percentile_s
from tests.scenarios.storm_run import PROTECTIONS, RISE_S, SHEDDING, Extent, Half, Storm, Watch

COMMAND = "make storm ARGS='--docs docs'"
COLUMNS = (
    "protection",
    "offered",
    "Redis",
    "goodput",
    "critical",
    "normal",
    "sheddable",
    "p50",
    "p99",
    "p99 / unloaded",
    "refused or lost",
)
_LAST_S = 2.0
_console = Console(width=None if sys.stdout.isatty() else 160)


@contextmanager
def live(extent: Extent) -> Iterator[Watch]:
    """Show the last seconds as they go; without a terminal, one line for each storm that begins."""
    with Live(console=_console, refresh_per_second=4, transient=True) as view:
        seen: list[str] = []

        def watch(name: str, now_s: float, asked: Sequence[Asked]) -> None:
            if name not in seen:
                seen.append(name)
                _console.print(f"{len(seen)}/{len(PROTECTIONS) * len(extent.factors)}  {name}")
            if _console.is_terminal:
                view.update(_now(name, now_s, [one for one in asked[-2000:] if one.ended_s > now_s - _LAST_S], extent))

        yield watch


def _now(name: str, now_s: float, asked: Sequence[Asked], extent: Extent) -> Table:
    table = Table(title=f"{name}, {now_s:.0f} s", title_justify="left")
    for column in ("criticality", "answered /s", "served", "shed", "limited", "turned away", "too late", ""):
        table.add_column(column, justify="right", min_width=10)
    for criticality in MIX:
        outcomes = Counter(one.outcome for one in asked if one.criticality == criticality)
        served = outcomes["served"] / _LAST_S / extent.capacity
        told = [str(outcomes[each]) for each in ("served", "shed", "limited", "turned away", "too late")]
        table.add_row(criticality, f"{outcomes.total() / _LAST_S:.0f}", *told, "█" * round(30 * served))
    return table


def show(storms: Sequence[Storm]) -> None:
    """Print the table."""
    table = Table(*COLUMNS)
    for row in _rows(storms):
        table.add_row(*row)
    _console.print(table)
    _console.print(verdict(storms), highlight=False)


def write(storms: Sequence[Storm], extent: Extent, reports: Path, docs: Path | None) -> None:
    """Leave the reports; with `docs` a copy of the table and the picture there."""
    reports.mkdir(parents=True, exist_ok=True)
    told = markdown(storms, extent)
    panels = storm_chart.panels(storms, extent)
    (reports / "storm.md").write_text(told, encoding="utf-8")
    (reports / "storm.html").write_text(storm_chart.html(panels, COLUMNS, _rows(storms)), encoding="utf-8")
    storm_chart.png(panels, reports / "storm.png")
    if docs is not None:
        (docs / "storm.md").write_text(told, encoding="utf-8")
        storm_chart.png(panels, docs / "storm.png")
    _console.print(f"Reports: {reports}/storm.html, storm.png, storm.md", highlight=False)


def markdown(storms: Sequence[Storm], extent: Extent) -> str:
    """The table with what a reader must know of it."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *_rows(storms)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    facts = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in _facts(extent).items())])
    parts = ("# Storms", _introduction(extent), "![Requests a second over time](storm.png)", table, verdict(storms))
    return "\n\n".join([*parts, facts]) + "\n"


def verdict(storms: Sequence[Storm]) -> str:
    """Which of our rows miss what was asked for; nothing is left out."""
    ours = [(storm, half) for storm in storms if storm.protection == SHEDDING for half in storm.halves]
    checks = {
        "goodput at least 90 % of the capacity": [(s, h) for s, h in ours if _goodput(s, h) < 0.9],
        "critical success at least 99 %": [(s, h) for s, h in ours if h.success("critical") < 0.99],
        "the less critical is refused first": [(s, h) for s, h in ours if not _in_order(h)],
        "p99 of what is served at most 2 x unloaded": [(s, h) for s, h in ours if _slower(s, h) > 2],
    }
    lines = []
    for what, missed in checks.items():
        names = "; ".join(f"{s.factor:g} x, Redis {'up' if h.redis else 'killed'}" for s, h in missed)
        lines.append(f"- {what}: {len(ours) - len(missed)} of {len(ours)}" + (f"; not: {names}" if names else ""))
    return "\n".join(lines)


def _introduction(extent: Extent) -> str:
    return (
        f"Written by `{COMMAND}`; every cell was measured by that run. {extent.environments} environments, each a "
        f"real process with the handler as Lambda calls it, run one request at a time, {extent.service_s:g} s each: "
        f"the capacity is {extent.capacity:g}/s. A queue of {extent.queue} is in front. Clients come at random moments "
        "whether or not they are answered, "
        f"{', '.join(f'{share:.0%} {each}' for each, share in MIX.items())}, {extent.principals} of them, and wait "
        f"{extent.patience_s:g} s. After a quiet time at half of the capacity the load rises within {RISE_S:g} s; "
        f"{extent.half_s:g} s after it is at its height Redis is killed, and stays away for as long. There is no "
        "DynamoDB, and the routes allow what no store can count, so from then on shedding is alone.\n\n"
        "- **goodput**: answers 200 within the clients' patience, of the capacity; counted from the storm's height on, "
        "all else from its beginning.\n"
        "- **critical, normal, sheddable**: the share of each that was served.\n"
        "- **p50, p99**: of what was served. Unloaded: in the quiet time.\n"
        f"- **limits only**: {extent.limit} for each client and route, which all together promise "
        f"{_promised(extent):.1f} x the capacity.\n"
        "- **turned away**: the queue was full (any request, whatever its criticality); **too late**: run, or still "
        "queued, when its client had gone."
    )


def _promised(extent: Extent) -> float:
    per_minute = float(extent.limit.partition("/")[0])
    return per_minute / 60 * extent.principals * len(MIX) / extent.capacity


def _facts(extent: Extent) -> dict[str, str]:
    with RedisServer() as server:
        redis = server.info("server")["redis_version"]
    load, *_ = os.getloadavg()
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": f"`{COMMAND}`",
        "settings": f"TIDEGATE_CAPACITY={extent.environments}, TIDEGATE_SHED_IN_FLIGHT=1.15, "
        f"TIDEGATE_SHED_WAIT_MS={extent.wait_ms}",
        "machine": f"{cores} cores, {platform.system()} {platform.machine()}, shared; load {load:.1f} at the end",
        "Python": platform.python_version(),
        "Redis": redis,
        **{name: version(name) for name in ("tidegate", "fastapi", "mangum")},
    }


def _rows(storms: Sequence[Storm]) -> list[tuple[str, ...]]:
    return [_row(storm, half) for storm in storms for half in storm.halves]


def _row(storm: Storm, half: Half) -> tuple[str, ...]:
    lost = Counter(one.outcome for one in half.came if one.outcome != "served")
    return (
        storm.protection.name,
        f"{storm.factor:g} x",
        "up" if half.redis else "killed",
        f"{_goodput(storm, half):.0%}",
        *(f"{half.success(each):.1%}" for each in MIX),
        *_times(storm, half),
        ", ".join(f"{outcome} {count}" for outcome, count in sorted(lost.items())),
    )


def _times(storm: Storm, half: Half) -> tuple[str, ...]:
    if not half.served:
        return ("–", "–", "–")  # noqa: RUF001  a dash, which stands for nothing
    p50, p99 = (percentile_s(half.served, share) for share in (0.5, 0.99))
    return (f"{p50:.2f} s", f"{p99:.2f} s", f"{_slower(storm, half):.2f}")


def _goodput(storm: Storm, half: Half) -> float:
    return half.goodput_per_s / storm.capacity


def _slower(storm: Storm, half: Half) -> float:
    return percentile_s(half.served, 0.99) / storm.unloaded_p99_s


def _in_order(half: Half) -> bool:
    shed = {each: half.outcomes(each)["shed"] / max(1, half.outcomes(each).total()) for each in MIX}
    return shed["critical"] <= shed["normal"] <= shed["sheddable"]
