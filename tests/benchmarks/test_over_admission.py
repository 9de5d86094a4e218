"""What the whole ladder admits beyond its limits, in a fleet: simulated, beside a fallback per process."""

from __future__ import annotations

from tests.benchmarks.report import Goal, Report, Section, Table
from tests.simulation.overadmission import (
    BUCKET,
    GREEDY_PER_S,
    RATE_PER_S,
    SCENARIOS,
    Outcome,
    simulate,
    simulate_hot_key,
)

SEED = 1
FLEETS = (10, 100, 1000)
HOT_KEY = (500, 50_000, 10)
FOR_FIVE_MINUTES = ("Redis out 5 min", "both out 5 min")
HOW = (
    f"The library's own ladder in each environment, over simulated stores, in one simulated time; clocks differ by up "
    f"to 5 s. A limit of {RATE_PER_S}/s with a burst of {BUCKET.burst}; one caller asks for {GREEDY_PER_S}/s, four for "
    "a tenth of the limit each. The bound holds for every stretch of time: burst + rate x time + what "
    f"docs/reference.md states. `python -m tests.simulation.overadmission --seed {SEED}` repeats it."
)
COLUMNS = ("scenario, environments", "observed / bound", "admitted / limit", "others served", "per process / limit")


def test_over_admission(report: Report) -> None:
    outcomes = [simulate(name, fleet, SEED) for name in SCENARIOS for fleet in FLEETS]
    hot = simulate_hot_key(*HOT_KEY, SEED)
    section = Section("over-admission", "Over-admission over Redis, DynamoDB and memory", HOW)
    section.tables.append(Table("While stores come and go", COLUMNS, [_row(outcome) for outcome in outcomes]))
    section.notes.append(
        f"A key that {hot.environments} environments ask for {hot.per_s:,} times a second costs {hot.writes:,} writes "
        f"for {hot.decisions:,} decisions, at most {hot.busiest_item} a second on one item, and gives "
        f"{hot.used:.0%} of what is due."
    )
    worst = max(outcome.worst for outcome in outcomes)
    most = max(outcome.greedy for outcome in outcomes if outcome.scenario in FOR_FIVE_MINUTES)
    section.goals += [
        Goal("over-admission: observed / bound, the worst", f"{worst:.3f}", "≤ 1", worst <= 1),
        Goal("over-admission: admitted / limit in 5 minutes' outage", f"{most:.3f}", "≤ 1.1", most <= 1.1),
        Goal("writes a second for one hot key", f"{hot.busiest_item}", "< 1,000", hot.busiest_item < 1000),
    ]
    report.add(section)


def _row(outcome: Outcome) -> tuple[str, ...]:
    figures = (outcome.worst, outcome.greedy, outcome.modest, outcome.per_process)
    return (f"{outcome.scenario}, {outcome.environments}", *(f"{figure:.3f}" for figure in figures))
