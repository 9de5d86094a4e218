"""One environment's shedder in virtual time, its routes, and the shares that it refuses."""

from tidegate import Caller, Policy, Settings
from tidegate.routing import RoutePolicy
from tidegate.shedding.demand import ENDED, SECONDS, UNMEASURED
from tidegate.shedding.fleet_demand import REPORT_EVERY_S, DemandView
from tidegate.shedding.pressure import Demand
from tidegate.shedding.shedder import Shedder
from tidegate.stores.fleet_secret import FleetSecret
from tidegate.testing import FakeClock

PRINCIPALS = [f"key:{i}" for i in range(200)]


def request(*, waited_s=None, headers=(), clock=None, context=None):
    scope = {"type": "http", "method": "GET", "headers": [(n.encode(), v.encode()) for n, v in dict(headers).items()]}
    if waited_s is not None:
        now_ms = clock.wall_us() / 1000
        scope["aws.event"] = {"requestContext": {"requestTimeEpoch": now_ms - waited_s * 1000}}
    return scope if context is None else scope | {"aws.context": context}


class Rig:
    """One environment's shedder, and a route of each criticality."""

    def __init__(self, environments=1, **settings):
        self.clock = FakeClock()
        self.view = DemandView(self.clock, lambda: environments) if settings.get("capacity") else None
        self.shedder = Shedder(Settings(memory_only=True, **settings), self.clock, self.view, FleetSecret("hush"))
        self.routes = {each: RoutePolicy(f"/{each}", "GET", Policy(priority=each)) for each in ("critical", "normal")}
        self.routes["sheddable"] = RoutePolicy("/sheddable", "GET", Policy(priority="sheddable"))

    def enter(self, criticality="normal", principal="key:1", **scope):
        return self.shedder.enter(request(clock=self.clock, **scope), self.routes[criticality], Caller(principal))

    def run(self, seconds, criticality="normal", **rest):
        visit = self.enter(criticality, **rest)
        self.clock.advance(seconds)
        visit.leave(ran=True)
        return visit

    def learn(self, seconds, criticality="normal"):
        """Know a route: its first run doesn't count."""
        for _ in range(2):
            self.run(seconds, criticality)

    def refused(self, criticality, **scope):
        """The share of principals that is refused now."""
        refused = 0
        for principal in PRINCIPALS:
            visit = self.enter(criticality, principal, **scope)
            refused += visit.refusal() is not None
            visit.leave(ran=False)
        return refused / len(PRINCIPALS)

    def all_refused(self, **scope):
        return [round(self.refused(each, **scope), 2) for each in ("critical", "normal", "sheddable")]

    def overload(self, criticality):
        """Let the fleet be known to want far more of that than there is room for."""
        self.view.heard(Demand(**{criticality: 1000}))

    def report(self):
        """The next report: seconds that ran, arrivals not measured, runs, summed over the criticalities."""
        self.clock.advance(2 * REPORT_EVERY_S)
        numbers = self.view.due().numbers
        return tuple(sum(numbers[at : at + 3]) for at in (SECONDS, UNMEASURED, ENDED))
