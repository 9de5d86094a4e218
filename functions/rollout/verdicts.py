"""The verdicts that are kept of a release: of a run of equal ones the first and the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
# The bound of all verdicts that are kept: the first one, and the latest.
_MOST = 24


def kept(verdicts: Sequence[Document], new: Document) -> list[Document]:
    """Add a verdict; of a run of the same outcome on the same step only the first and the latest stay."""
    if len(verdicts) > 1 and _kind(verdicts[-1]) == _kind(verdicts[-2]) == _kind(new):
        return [*verdicts[:-1], new]
    longer = [*verdicts, new]
    return longer if len(longer) <= _MOST else [longer[0], *longer[1 - _MOST :]]


def _kind(verdict: Document) -> tuple[Any, ...]:
    return verdict["step"], verdict["outcome"], verdict["then"]
