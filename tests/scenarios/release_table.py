"""The table of docs/releases.md: a line for each release that was played."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate_local.layout import project_folder

_DOCUMENT = project_folder() / "docs" / "releases.md"
_BEGIN, _END = "<!-- release-demo: begin -->", "<!-- release-demo: end -->"
_COLUMNS = (
    "release",
    "ended",
    "rightly",
    "seconds",
    "canary's requests, last step",
    "clients' requests",
    "failed",
    "verdict to weights 0, ms",
    "said",
)
_MOST_SAID = 420


def line(*cells: object) -> str:
    """Make a release's line, of one cell for each column."""
    *others, said = map(str, cells)
    said = said.replace("|", "/").replace("\n", " ")
    said = said if len(said) < _MOST_SAID else f"{said[: _MOST_SAID - 3]}..."
    return f"| {' | '.join([*others, said])} |"


def write(lines: Sequence[str], order: Sequence[str]) -> None:
    """Put lines into the table, in the order of their names; those of other releases stay."""
    text = _DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    former, after = rest.split(_END)
    told = {_name(line): line for line in [*former.splitlines(), *lines] if line.startswith("| ")}
    rows = [told[name] for name in order if name in told and told[name].count(" | ") == len(_COLUMNS) - 1]
    table = [f"| {' | '.join(_COLUMNS)} |", "|---|---|---|---:|---:|---:|---:|---:|---|", *rows]
    _DOCUMENT.write_text("\n".join([f"{before}{_BEGIN}", "", *table, "", f"{_END}{after}"]), encoding="utf-8")


def _name(line: str) -> str:
    return line.split(" | ", maxsplit=1)[0].removeprefix("| ")
