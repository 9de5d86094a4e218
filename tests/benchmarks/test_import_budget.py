"""Where every millisecond of a cold start over the bare application's goes, by package."""

import json
from dataclasses import dataclass

from tests.benchmarks import cold_starts, events, import_times, processes
from tests.benchmarks.report import Section, Table

RUNS = 7
SHOWN_MS = 0.5
HOW = (
    f"`python -X importtime` of the cold start above (GET), {RUNS} times each in turns; shown is each one's "
    "quickest run, so that its parts add up. It takes longer than a start without it. A package's time is its own "
    "modules', not what they import in turn. Threads are not started, so what is got ready in the background is not "
    "in it."
)


@dataclass(frozen=True)
class Budget:
    """One contender's cold start, in milliseconds."""

    packages: dict[str, float]
    total: float

    @property
    def running(self) -> float:
        """What isn't imports: the application's making, connecting, the first request."""
        return self.total - sum(self.packages.values())


def test_import_budget(redis_url, dynamo, library_table, tmp_path, report):
    event = tmp_path / "get.json"
    event.write_text(json.dumps(events.get()))
    variables = processes.function(redis_url, dynamo.endpoint_url, library_table)
    variables |= processes.compiled(tmp_path / "compiled")
    said = {name: [] for name in ("bare", "tidegate")}
    for name in said:
        _run(name, str(event), variables)  # compiles
    for _ in range(RUNS):
        for name, runs in said.items():
            runs.append(_run(name, str(event), variables))
    bare, ours = (min(runs, key=lambda run: run.total) for runs in said.values())
    section = Section("import-budget", "Cold start, by package", HOW)
    columns = ("package", "more than bare, ms", "bare ms", "Tidegate ms")
    section.tables.append(Table("Cold start over the bare application's, by package", columns, _rows(bare, ours)))
    report.add(section)
    assert ours.packages["tidegate"] > 0


def _run(name: str, event: str, variables: dict[str, str]) -> Budget:
    done = processes.run(cold_starts.PROGRAM, name, event, "--nothing-after", options=("-X", "importtime"), **variables)
    told = next(json.loads(line) for line in done.stderr.splitlines() if line.startswith("{"))
    package = cold_starts.PROGRAM.rpartition(".")[0]
    return Budget(import_times.by_package(done.stderr, package), told["import"] + told["first"])


def _rows(bare: Budget, ours: Budget) -> list[tuple[str, ...]]:
    names = {*bare.packages, *ours.packages}
    more = sorted(((_more(name, bare, ours), name) for name in names), reverse=True)
    shown = [name for by, name in more if abs(by) >= SHOWN_MS]
    rest = names - set(shown)
    rows = [_row(name, bare.packages.get(name, 0), ours.packages.get(name, 0)) for name in shown]
    rows.append(_row(f"{len(rest)} others", _sum(rest, bare), _sum(rest, ours)))
    rows.append(_row("all imports", _sum(names, bare), _sum(names, ours)))
    rows.append(_row("running: making the app, connecting, the first request", bare.running, ours.running))
    return [*rows, _row("the whole cold start", bare.total, ours.total)]


def _more(name: str, bare: Budget, ours: Budget) -> float:
    return ours.packages.get(name, 0) - bare.packages.get(name, 0)


def _sum(names: set[str], budget: Budget) -> float:
    return sum(budget.packages.get(name, 0) for name in names)


def _row(name: str, bare_ms: float, ours_ms: float) -> tuple[str, ...]:
    return (name, f"{ours_ms - bare_ms:+.1f}", f"{bare_ms:.1f}", f"{ours_ms:.1f}")
