"""What is known of a route and of a host: who is asked less for it, who waits, and until when."""

import contextlib

import pytest

from tests.client.simulated_faces import HOME
from tests.client.simulated_network import reply
from tidegate.client import Hosts, QuotaExhaustedError, ThrottledError


def test_hosts_that_were_asked_long_ago_are_forgotten():
    hosts = Hosts()
    first = hosts.host("http://0.test")
    assert hosts.host("http://0.test") is first
    for number in range(5000):
        hosts.host(f"http://{number}.test")
    assert len(hosts._hosts) <= 1024
    assert hosts.host("http://4999.test") is hosts.host("http://4999.test")
    assert hosts.host("http://0.test") is not first


def test_thirty_that_wait_for_one_moment_do_not_come_together(simulated, simulate):
    client = simulate()
    simulated.answers(reply(200, {"ratelimit": '"a";r=0;t=1'}))
    client.request("GET", "/a")
    host = client.hosts.host(HOME)
    began_s = simulated.time.now_s
    waits = sorted(host.spread_s("GET /a", host.reserve_s("GET /a")) for _ in range(30))
    assert simulated.time.now_s == began_s
    assert min(waits) >= 1
    assert max(waits) <= 3
    assert max(sum(at <= wait < at + 0.1 for wait in waits) for at in waits) <= 12


def test_a_route_that_always_fails_leaves_its_neighbours_alone(simulate, simulated):
    client = simulate(attempts=1)
    for number in range(45):
        for path in ["/broken", "/broken", "/healthy"]:
            simulated.forget()
            simulated.answers(503 if path == "/broken" else 200)
            with contextlib.suppress(ThrottledError):
                client.request("GET", path)
        simulated.time.advance(0.1 * (number % 3))
    targets = [asked.target for asked in simulated.asked]
    assert targets.count("/healthy") == 45
    assert 9 <= targets.count("/broken") < 60


def test_a_route_that_is_new_gets_through_beside_one_that_fails(simulate, simulated):
    client = simulate(attempts=1)
    simulated.answers(*[503] * 100)
    for _ in range(60):
        with contextlib.suppress(ThrottledError):
            client.request("GET", "/broken")
    simulated.forget()
    sent = 0
    for _ in range(45):
        with contextlib.suppress(ThrottledError):
            client.request("GET", "/healthy")
            sent += 1
    assert sent >= 44


def test_a_host_that_is_down_is_asked_less_by_whatever_route(simulate, simulated):
    client = simulate(attempts=1)
    simulated.answers(*[503] * 300)
    for number in range(200):
        with contextlib.suppress(ThrottledError):
            client.request("GET", f"/named-{'abcdefghij'[number % 10]}{'abcdefghijklmnopqrst'[number // 10]}")
    assert len(simulated.asked) < 80


def test_one_long_retry_after_is_probed_and_newer_news_wins(simulate, simulated):
    client = simulate(deadline_s=5)
    simulated.answers(reply(503, {"retry-after": "3600"}))
    assert client.request("GET", "/a").status_code == 503
    with pytest.raises(QuotaExhaustedError):
        client.request("GET", "/a")
    simulated.time.advance(60.5)
    assert [client.request("GET", "/a").status_code for _ in range(3)] == [200] * 3


def test_a_probe_that_is_refused_renews_the_silence(simulate, simulated):
    client = simulate(deadline_s=5, retry_after_max_s=10)
    simulated.answers(reply(503, {"retry-after": "3600"}), reply(503, {"retry-after": "3600"}))
    client.request("GET", "/a")
    simulated.time.advance(10)
    assert client.request("GET", "/a").status_code == 503
    with pytest.raises(QuotaExhaustedError) as raised:
        client.request("GET", "/a")
    assert raised.value.retry_after_s == pytest.approx(10)
    assert len(simulated.asked) == 2


def test_a_quota_that_is_used_up_for_long_is_probed_too(simulate, simulated):
    client = simulate(deadline_s=5)
    simulated.answers(reply(200, {"ratelimit": '"day";r=0;t=86400'}))
    client.request("GET", "/a")
    with pytest.raises(QuotaExhaustedError):
        client.request("GET", "/a")
    simulated.time.advance(60)
    assert [client.request("GET", "/a").status_code for _ in range(3)] == [200] * 3


def test_a_wait_that_can_be_set_is_the_request_s_own_too(simulate, simulated):
    client = simulate(deadline_s=100, retry_after_max_s=10)
    simulated.answers(reply(503, {"retry-after": "3600"}))
    began_s = simulated.time.now_s
    assert client.request("GET", "/a").status_code == 200
    assert 10 <= simulated.time.now_s - began_s <= 12
