"""Cold starts: a fresh interpreter each, import and first request, beside the bare application."""

import json
import shutil
import statistics
import sys
from pathlib import Path

from tests.benchmarks import cold_starts, events, peers, processes
from tests.benchmarks.chart import Panel
from tests.benchmarks.cold_starts import Start
from tests.benchmarks.report import Goal, Section, Table

ROUNDS = 11
ROUNDS_UNCOMPILED = 3
HOW = (
    f"A fresh interpreter for each start, from its first line to the first answer, in turns over {ROUNDS} rounds; "
    "the ratio is to the bare application's start of the same round. Everything is compiled. Tidegate is wired as "
    "a function is: settings from the environment, Redis and the DynamoDB table; the GET's limit is decided by "
    "Redis, the POST's claim by DynamoDB. `second request` is the same request again, at once; `ready after` is how "
    "much longer what is made ready in the background takes after it."
)
SNAPSTART = (
    "Reasoned, not measured: with SnapStart the import column is in the snapshot, protect()'s own work and "
    "the connection that it opens included, which is dead after a restore and replaced at the first question "
    "(one connect). What stays is the first-request column, less what it imports, if something imports it "
    "before the snapshot. DynamoDB's client is made ready after the first answer, so it is not in a snapshot "
    "unless a request or a hook before it asked for it; a restored environment has no credentials in its variables, "
    "so that its first claim waits for botocore."
)
GETS = {
    "bare": ("FastAPI + Mangum", ()),
    "tidegate": ("Tidegate", ()),
    "slowapi": ("slowapi", ("slowapi",)),
    "fastapi-limiter": ("fastapi-limiter", ("fastapi-limiter",)),
    "slowapi-cashews": ("slowapi + cashews", ("slowapi", "cashews")),
}
POSTS = {
    "bare": ("FastAPI + Mangum", ()),
    "tidegate": ("Tidegate", ()),
    "powertools": ("powertools on DynamoDB", ("aws-lambda-powertools",)),
    "slowapi-powertools": ("slowapi + powertools on DynamoDB", ("slowapi", "aws-lambda-powertools")),
}


def test_cold_start(redis_url, dynamo, library_table, tmp_path, report):
    get, post = _written(tmp_path / "get.json", events.get()), _written(tmp_path / "post.json", events.post("cold"))
    variables = processes.function(redis_url, dynamo.endpoint_url, library_table)
    variables |= processes.compiled(tmp_path / "compiled")
    gets = _measured(GETS, get, ROUNDS, variables)
    posts = _measured(POSTS, post, ROUNDS - 4, variables)
    uncompiled = _measured_uncompiled(get, tmp_path / "pycache", variables)
    section = Section("cold-start", "Cold start", HOW)
    section.tables = [
        _table("First request a GET with a limit", GETS, gets),
        _table("First request an idempotent POST", POSTS, posts),
        _table("GET, nothing but the standard library compiled (.pyc left out of the artefact)", GETS, uncompiled),
    ]
    section.notes.append(SNAPSTART)
    ratio = gets["tidegate"].ratio
    section.goals.append(Goal("cold start, over the bare application's", f"{ratio:.2f}x", "≤ 1.15x", ratio <= 1.15))
    section.panel = Panel(
        "cold start over the bare application's (GET)",
        [(GETS[name][0], start.ratio) for name, start in gets.items()],
        goal=1.15,
    )
    report.add(section)
    assert all(start.total_ms > 0 for start in (*gets.values(), *posts.values(), *uncompiled.values()))


def _measured(names: dict, event_file: Path, rounds: int, variables: dict[str, str]) -> dict[str, Start]:
    present = [name for name, (_, needs) in names.items() if peers.missing(*needs) is None]
    return cold_starts.measure(present, event_file, rounds, variables)


def _measured_uncompiled(event_file: Path, cache: Path, variables: dict[str, str]) -> dict[str, Start]:
    """Compile into a folder of our own, keep the standard library's part of it, and write no more."""
    prefixed = variables | processes.compiled(cache)
    names = {name: GETS[name] for name in ("bare", "tidegate")}
    _measured(names, event_file, 1, prefixed)
    for folder in {path for path in sys.path if "site-packages" in path} | {str(processes.ROOT), *_library()}:
        shutil.rmtree(cache / folder.lstrip("/"), ignore_errors=True)
    return _measured(names, event_file, ROUNDS_UNCOMPILED, prefixed | {"PYTHONDONTWRITEBYTECODE": "1"})


def _library() -> list[str]:
    import tidegate

    return [str(Path(tidegate.__file__).parent)]


def _table(title: str, names: dict, starts: dict[str, Start]) -> Table:
    columns = (
        "contender",
        "over bare",
        "half of the rounds",
        "import ms",
        "first request ms",
        "second ms",
        "ready after ms",
    )
    rows = [_row(names[name][0], start) for name, start in starts.items()]
    rows += [(label, why, *[""] * 5) for label, needs in names.values() if (why := peers.missing(*needs))]
    return Table(title, columns, rows)


def _row(name: str, start: Start) -> tuple[str, ...]:
    low, _, high = statistics.quantiles(start.ratios, n=4, method="inclusive")
    spread = f"{low:.2f} to {high:.2f}"
    parts = (start.import_ms, start.first_ms, start.second_ms, start.after_ms)
    return (name, f"{statistics.median(start.ratios):.2f}x", spread, *(f"{part:.1f}" for part in parts))


def _written(path: Path, event: dict) -> Path:
    path.write_text(json.dumps(event), encoding="utf-8")
    return path
