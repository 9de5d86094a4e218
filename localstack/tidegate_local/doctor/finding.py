"""What the doctor says of one thing."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `mend` is what to do next, empty if nothing is."""

    subject: str
    grade: Grade
    found: str
    mend: str = ""


def ok(subject: str, found: str) -> Finding:
    """All is well."""
    return Finding(subject, "ok", found)


def warning(subject: str, found: str, mend: str) -> Finding:
    """It works, or works for now."""
    return Finding(subject, "warning", found, mend)


def failure(subject: str, found: str, mend: str) -> Finding:
    """`make up` would fail."""
    return Finding(subject, "failure", found, mend)
