"""Which tests share a process of a parallel run, and what begins first.

What takes long to start is started once for a group, and the longest groups begin first, so that no worker ends alone.
pytest-xdist's own groups come to nothing here: its marks change the tests' ids, which pytest 9.2 computes anew.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# A group is of all tests whose ids begin and end so.
_GROUPS = (
    ("tests/scenarios/test_idempotency_under_kills.py", ""),
    ("tests/e2e/", ""),
    ("tests/scenarios/test_fault_matrix.py", "-server]"),
    ("tests/scenarios/test_fault_matrix.py", "-function]"),
    ("tests/infra/", ""),
    ("tests/local/", ""),
    ("tests/simulation/", ""),
    ("tests/scenarios/", ""),
    ("tests/contract/test_redis_cluster_failover.py", ""),
    ("tests/contract/test_redis_cluster_routing.py", ""),
)


def group(nodeid: str) -> int:
    """The number of a test's group; of the many that belong to none, one more than all."""
    return next(
        (i for i, (begins, ends) in enumerate(_GROUPS) if nodeid.startswith(begins) and nodeid.endswith(ends)),
        len(_GROUPS),
    )


class Distribution(LoadScopeScheduling):
    """Hands out groups as wholes; of tests that belong to none, one module after the other."""

    def _split_scope(self, nodeid: str) -> str:
        number = group(nodeid)
        return str(number) if number < len(_GROUPS) else nodeid.partition("::")[0]
