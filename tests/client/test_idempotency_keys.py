"""Which requests get an idempotency key, when it is a new one, and who never gets it."""

import httpx
import pytest

from tests.client.simulated_faces import ELSEWHERE, HOME
from tests.client.simulated_network import Script, reply
from tidegate.client import Conduct
from tidegate.errors import ConfigurationError


@pytest.mark.parametrize(
    ("base", "path", "patterns", "keyed"),
    [
        ("/live", "/v1/orders", ("/v1/orders",), True),
        ("/live", "v1/orders", ("v1/orders",), True),
        ("/live/", "/v1/orders?fast=1", ("/v1/*",), True),
        ("/live", f"{HOME}/live/v1/orders", ("/v1/orders",), True),
        ("/live", "/v1/orders", ("/live/v1/orders",), True),
        ("", "/v1/orders", ("/v1/orders",), True),
        ("/live", "/v1/orders/1", ("/v1/orders",), False),
        ("/live", f"{HOME}/livelier/v1/orders", ("/v1/orders",), False),
        ("/live", f"{ELSEWHERE}/live/v1/orders", ("/v1/orders",), False),
    ],
)
def test_patterns_match_the_path_below_the_base_url(simulate, simulated, base, path, patterns, keyed):
    client = simulate(base_url=HOME + base, keys_for=patterns)
    simulated.answers(503)
    assert client.request("POST", path).status_code == (200 if keyed else 503)
    assert all(simulated.keys) if keyed else simulated.keys == [None]


def test_a_route_s_template_is_no_pattern():
    with pytest.raises(ConfigurationError, match="keys_for"):
        Conduct(keys_for=("/v1/orders/{order_id}/pay",))


SECRETS = {"x-api-key": "secret", "authorization": "secret", "tidegate-criticality": "critical", "x-other": "kept"}


@pytest.mark.parametrize(
    ("location", "is_kept"), [("/b", True), (f"{HOME}/b", True), (f"{ELSEWHERE}/b", False), (f"{HOME}:81/b", False)]
)
def test_a_redirect_takes_to_another_host_nothing_that_is_for_the_first(simulate, simulated, location, is_kept):
    client = simulate(keys_for=True, follow_redirects=True, headers=SECRETS)
    simulated.answers(reply(307, {"location": location}), reply(308, {"location": f"{HOME}/c"}))
    client.request("POST", "/a", json={})
    first, second, third = simulated.asked
    assert {"idempotency-key", "tidegate-timeout-ms", *SECRETS} <= set(first.fields)
    dropped = {"idempotency-key", "tidegate-timeout-ms", "tidegate-criticality", "x-api-key", "authorization"}
    assert (dropped <= set(second.fields)) is is_kept
    for asked in [second, third]:
        assert is_kept or not dropped & set(asked.fields)
        assert asked.fields["x-other"] == "kept"


@pytest.mark.parametrize("empty", ["", " ", '""'])
def test_an_empty_key_is_none(simulate, simulated, empty):
    client = simulate(keys_for=("/keyed",))
    simulated.answers(503)
    client.request("POST", "/keyed", headers={"idempotency-key": empty})
    first, second = simulated.keys
    assert first == second
    assert len(first) > 30


@pytest.mark.parametrize("empty", ["", '""'])
def test_an_empty_key_lets_nothing_be_sent_again(simulate, simulated, empty):
    simulated.answers(503)
    assert simulate().request("POST", "/a", headers={"idempotency-key": empty}).status_code == 503


def test_a_request_that_was_answered_and_is_sent_again_is_another_intent(simulate, simulated):
    client = simulate(keys_for=True)
    request = client.client.build_request("POST", "/a", json={})
    simulated.time.advance(100)
    client.send(request)
    simulated.time.advance(100)
    client.send(request)
    first, second = simulated.keys
    assert first != second
    assert [asked.fields["tidegate-timeout-ms"] for asked in simulated.asked] == ["30000"] * 2


def test_a_request_that_failed_and_is_sent_again_is_the_same_intent(simulate, simulated):
    client = simulate(keys_for=True, attempts=1)
    request = client.client.build_request("POST", "/a", json={})
    simulated.answers(503, Script())
    assert client.send(request).status_code == 503
    with pytest.raises(httpx.ReadTimeout):
        client.send(request)
    simulated.time.advance(100)
    client.send(request)
    assert len(set(simulated.keys)) == 1


def test_the_application_s_own_key_stays_for_every_sending(simulate, simulated):
    client = simulate(keys_for=True)
    request = client.client.build_request("POST", "/a", headers={"idempotency-key": "mine"})
    client.send(request)
    client.send(request)
    assert simulated.keys == ["mine", "mine"]


def test_a_request_is_sent_twice_by_a_bare_transport_as_by_a_client(connect, server):
    face = connect(keys_for=True)
    request = face._client.build_request("POST", "/a", json={})
    for _ in range(2):
        answered = face._client.send(request)
        if type(face).__name__ == "AsyncFace":
            face._loop.run_until_complete(answered)
    first, second = (got.fields["idempotency-key"] for got in server.got)
    assert first != second
