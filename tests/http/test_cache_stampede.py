"""Two hundred misses of one key at once: one computation in the fleet, three commands for a request at most."""

from tests.harness.processes import run_at_once
from tests.http.stampede import PROCESSES, THREADS, as_functions_and_as_servers, prepare

AT_ONCE = 50
# What each environment's first request asks of Redis by digest: the decision, its heartbeat, the settlement.
WARM_UP = 3


def test_one_computes_and_nobody_asks_redis_more_than_thrice(redis_server, tcp_proxy):
    """Forty environments with one request each, as functions have them; then four with fifty each, as servers."""
    to_redis = tcp_proxy(redis_server.port)
    arguments = (to_redis.url(redis_server.url), AT_ONCE)
    seen = run_at_once(
        as_functions_and_as_servers,
        *arguments,
        processes=PROCESSES,
        threads=THREADS,
        prepare=prepare,
        deadline_s=120,
    )
    environments, functions, servers = PROCESSES * THREADS, *zip(*seen, strict=True)
    for answers, count in ((functions, environments), ([s for s in servers if s], PROCESSES * AT_ONCE)):
        assert sum(each.calls for each in answers) == 1
        bodies = [body for each in answers for body in each.bodies]
        assert (len(bodies), len(set(bodies))) == (count, 1)
        assert sum("stored" in way for each in answers for way in each.ways) == 1

    asked = to_redis.commands.count("EVALSHA") + to_redis.commands.count("XREAD") - WARM_UP * environments
    # A function asks, waits and looks; of a server's fifty one does. On a slow machine another heartbeat is due.
    one_by_one, heartbeats = 3 * environments, environments
    assert asked <= one_by_one + PROCESSES * (AT_ONCE + 2) + 1 + heartbeats
    assert asked / (environments + PROCESSES * AT_ONCE) <= 3
