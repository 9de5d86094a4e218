"""The fleet's demand, summed up in Redis; reports are sent along with decisions, in the same round trip."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.shedding.demand import Measured
from tidegate.shedding.fleet_demand import DemandView, Report
from tidegate.shedding.pressure import Demand
from tidegate.stores.redis.replies import numbers
from tidegate.stores.redis.scripts import Call, Script
from tidegate.stores.redis.store import Ride

DEMAND = Script.of("demand.lua")


# Critical, normal, sheddable, and the standard error.
_DEMAND_FIELDS = 4


def demand_call(key: str, report: Report) -> Call:
    """Return the call that reports counts and returns the fleet's demand; numbers are sent in millionths."""
    return Call(DEMAND, [key], [round(number * 1_000_000) for number in report.numbers], numbers(_DEMAND_FIELDS))


def read_demand(reply: Sequence[int]) -> Measured:
    """Read the fleet's demand from the reply of `demand.lua`, which is in thousandths."""
    critical, normal, sheddable, doubt = (thousandths / 1000 for thousandths in reply)
    return Measured(Demand(critical, normal, sheddable), doubt)


class DemandRider:
    """Reports this environment's demand along with decisions, and takes the fleet's from the reply.

    Args:
        view: this environment's view of the demand.
        namespace: keeps the keys of several deployments apart.
    """

    def __init__(self, view: DemandView, namespace: str) -> None:
        self._view = view
        self._key = f"tidegate:{{fleet:{namespace}}}:flow"

    def due(self) -> Ride | None:
        """Return the report that is due now; None if none is."""
        report = self._view.due()
        return None if report is None else Ride(demand_call(self._key, report), self._take_reply)

    def _take_reply(self, reply: Sequence[int]) -> None:
        self._view.heard(*read_demand(reply))
