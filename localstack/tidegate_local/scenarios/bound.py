"""How much a limit admitted, against what it may: burst + 1 + rate x time, over every stretch of time.

The bound is docs/overadmission.md's, of the whole failover chain: a change of store costs one token at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Admissions:
    """What came of one key at one limit.

    `most` is what the fullest stretch admitted, as a share of the bound there: at most 1 is the promise.
    """

    admitted: int
    refused: int
    most: float


def against_bound(
    admitted: Sequence[tuple[float, float]], refused: int, *, rate_per_s: float, burst: int
) -> Admissions:
    """Hold admissions against the bound; each is when it was asked for and when it was answered, in seconds.

    When in between it was decided, a client can't know. So a stretch is taken from an asking to an answer, and only
    what lies in it whole was surely admitted within it.
    """
    most = 0.0
    for began, _ in admitted:
        ends = sorted(ended for asked, ended in admitted if asked >= began)
        for number, ended in enumerate(ends, start=1):
            most = max(most, number / (burst + 1 + rate_per_s * (ended - began)))
    return Admissions(len(admitted), refused, most)
