"""From any state of the estimates: with a true demand below the room, nothing is refused after five seconds."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation.scale_out_world import Redis
from tidegate import Caller, Policy, Settings
from tidegate.criticality import ORDER
from tidegate.routing import RoutePolicy
from tidegate.shedding.demand import NUMBERS, SLOT_S
from tidegate.shedding.fleet_demand import DemandView
from tidegate.shedding.pressure import Average, Demand, Falling
from tidegate.shedding.shedder import Shedder
from tidegate.testing import FakeClock

RECOVERED_S = 5.0
amounts = st.one_of(st.just(0.0), st.floats(0, 1e9), st.integers(0, 1000).map(float))
numbers = st.lists(amounts, min_size=NUMBERS, max_size=NUMBERS)
slots = st.lists(numbers, min_size=5, max_size=5)
environments = st.fixed_dictionaries(
    {
        "slots": slots,
        "untold": numbers,
        "older": numbers,
        "heard": st.none() | st.builds(Demand, amounts, amounts, amounts),
        "highest": st.floats(0, 1),
        "run": amounts,
        "started": st.booleans(),
    }
)
PER_S, RUN_S, STEP_S = 20, 0.05, 0.01  # 1 is in flight, of a room of 2.7


def fill(kept, drawn, now):
    kept._slots[:] = [list(each) for each in drawn]
    kept._at, kept.newest = int(now / SLOT_S), kept._slots[0]


def put(environment, state, now):
    shedder, view, routes = environment
    fill(view._slots, state["slots"], now)
    view._unreported, view._older = list(state["untold"]), list(state["older"])
    if state["heard"] is not None:
        view.heard(state["heard"])
    shedder._falling = Falling(state["highest"], now, now)
    for route in routes.values():
        shedder._runs[route] = Average(state["run"], now)
        if state["started"]:
            shedder._started[route] = float("-inf")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(environments, min_size=1, max_size=4), slots, st.booleans(), st.randoms(use_true_random=False))
def test_from_any_state_the_pressure_is_gone_in_5_s(states, in_redis, redis_is_there, chance):
    clock, redis = FakeClock(), Redis()
    clock.advance(100)
    fleet = []
    for state in states:
        view = DemandView(clock, lambda: len(states))
        shedder = Shedder(Settings(memory_only=True, capacity=3), clock, view)
        routes = {each: RoutePolicy(f"/{each}", "GET", Policy(priority=each)) for each in ORDER}
        fleet.append((shedder, view, routes))
        put(fleet[-1], state, clock.monotonic())
    fill(redis.slots, in_redis, clock.monotonic())
    began, running, came = clock.monotonic(), [], 0
    while (passed := clock.monotonic() - began) < RECOVERED_S + 3:
        clock.advance(STEP_S)
        while running and running[0][0] <= clock.monotonic():
            running.pop(0)[1].leave(ran=True)
        if passed * PER_S < came:
            continue
        came += 1
        shedder, view, routes = chance.choice(fleet)
        ticket = shedder.enter({"headers": []}, routes[chance.choice(ORDER)], Caller(f"key:{came % 50}"))
        if passed > RECOVERED_S:
            assert ticket.decision.pressure == 0
        if ticket.refusal() is None:
            running.append((clock.monotonic() + RUN_S, ticket))
            if redis_is_there:
                redis.exchange(view, clock.monotonic())
