"""What happens in a request storm? Ten times the traffic of three tiers, and each protection taking its part."""

from tidegate_local.scenarios import flows
from tidegate_local.scenarios.goods import Goods
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.traffic import Flow

# What is dearest goes on as ever: a storm is what the others do.
CRITICAL_PER_S = 2.0


def quiet(goods: Goods) -> list[Flow]:
    """Return a calm moment's clients, 8 requests a second: the critical orders, and the three tiers' other wishes."""
    return [
        flows.orders("internal", CRITICAL_PER_S, goods, most=3),
        flows.pages("internal", 1, most=2),
        flows.pages("pro", 2, most=2),
        flows.pages("free", 2, flows.SHEDDABLE, most=2),
        flows.reports("pro", 0.5, most=1),
        flows.exports("pro", 0.5, goods, most=1),
    ]


def burst(goods: Goods) -> list[Flow]:
    """Return ten times as much from the same keys, most of it at the edge, at the limits and at the queue."""
    return [
        flows.orders("internal", CRITICAL_PER_S, goods, most=3),
        flows.pages("internal", 2, most=2),
        flows.pages("pro", 18, most=3),
        flows.pages("free", 52, flows.SHEDDABLE, most=3),
        flows.reports("pro", 4, most=2),
        flows.exports("pro", 2, goods, most=2),
    ]


def surge(goods: Goods) -> list[Flow]:
    """Return ten times as much that passes the edge and the limits: only capacity is short."""
    return [
        flows.orders("internal", CRITICAL_PER_S, goods, most=3),
        flows.pages("internal", 2, most=2),
        flows.pages("pro", 45, flows.PAST_THE_CACHE, most=5),
        flows.pages("free", 30, flows.SHEDDABLE, most=3),
        flows.reports("pro", 0.5, most=1),
        flows.exports("pro", 0.5, goods, most=1),
    ]


def rage(play: Play, seconds: float = 24.0) -> None:
    """Raise a storm over a cloud as it is, half of the time each way; what clients saw is in the play's answers.

    Raises:
        ScenarioError: it was stopped.
    """
    with Goods.stocked(play.state) as goods:
        for name, flowing in (("burst", burst), ("surge", surge)):
            with play.traffic(flowing(goods)):
                play.lasts(name, "during", seconds / 2)
