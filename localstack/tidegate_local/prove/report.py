"""The report of a proof: JSON, which is signed, and the same for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tidegate_local.files import write_atomically
from tidegate_local.prove.outcome import Outcome
from tidegate_local.prove.plan import Caps

FORM = 1


@dataclass(frozen=True)
class Report:
    """A proof as it ended.

    `about` says where; `commit` what was deployed, with a word if the checkout had changes; `began` and `ended` are
    ISO 8601; `rehearsal` is true if it was no AWS.
    """

    rehearsal: bool
    about: Mapping[str, str]
    commit: str
    began: str
    ended: str
    caps: Caps
    outcomes: tuple[Outcome, ...]

    @property
    def verdict(self) -> str:
        """In one sentence; what was not run is never counted as passed."""
        count = {state: sum(one.state == state for one in self.outcomes) for state in ("passed", "failed", "not run")}
        told = f"{count['passed']} passed, {count['failed']} failed, {count['not run']} not run"
        return f"rehearsal, no proof of AWS: {told}" if self.rehearsal else told

    @property
    def failed(self) -> bool:
        """Whether a step failed."""
        return any(outcome.state == "failed" for outcome in self.outcomes)

    def document(self) -> dict[str, Any]:
        """Return it as data."""
        told = asdict(self)
        return {"form": FORM, "verdict": self.verdict, "usd": round(_usd(self.outcomes), 2), **told}


def write(report: Report, folder: Path, name: str) -> tuple[Path, Path]:
    """Write NAME.json and NAME.md; returns both."""
    document, page = folder / f"{name}.json", folder / f"{name}.md"
    write_atomically(document, json.loads(json.dumps(report.document())))
    page.write_text(markdown(report), encoding="utf-8")
    return document, page


def markdown(report: Report) -> str:
    """Return it for people."""
    where = ", ".join(f"{name} {value}" for name, value in report.about.items())
    rows = [
        f"| {one.step} | {one.state} | {one.seconds:.0f} | {one.usd:.2f} | {_cell(one.seen)} |"
        for one in report.outcomes
    ]
    figures = [(name, value) for one in report.outcomes for name, value in one.figures.items()]
    parts = [
        "# Rehearsal of the proof on AWS" if report.rehearsal else "# Proof on AWS",
        f"{report.verdict}.",
        f"{where}; commit {report.commit}; {report.began} to {report.ended}.",
        "| step | | s | at most USD on AWS | seen |\n|---|---|---|---|---|\n" + "\n".join(rows),
    ]
    if figures:
        table = "\n".join(f"| {name} | {value:,.4g} |" for name, value in figures)
        parts.append(f"| figure | value |\n|---|---|\n{table}")
    usd = _usd(report.outcomes)
    cost = (
        f"It cost nothing; on AWS the same would cost {usd:.2f} USD at most."
        if report.rehearsal
        else f"What it cost is an estimate from above, {usd:.2f} USD; the account's bill says it a day later."
    )
    parts.append(f"Caps: {report.caps.usd:.2f} USD and {report.caps.seconds / 60:.0f} min. {cost}")
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    """What was seen, in one cell: a failure's log is in the JSON."""
    first = text.splitlines()[0] if text else ""
    return first.replace("|", "\\|")[:400]


def _usd(outcomes: Sequence[Outcome]) -> float:
    return sum(outcome.usd for outcome in outcomes)
