"""Addresses as principals: one spelling each, a network's customer rather than each address, and whose word counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.lambda_events import alb_event, http_api_event, rest_event
from tidegate import ConfigurationError, Settings
from tidegate.address import counted_as
from tidegate.aws_lambda.events.request import Reader
from tidegate.identity.caller import Identifier
from tidegate.telemetry import logger


def principal(scope, trusted=None):
    variables = {"TIDEGATE_STORE": "memory"} | ({"TIDEGATE_TRUSTED_PROXIES": trusted} if trusted else {})
    return Identifier(Settings.from_environ(variables))(scope).principal


def served(client, *headers):
    """A server's scope."""
    fields = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http", "headers": fields, "client": (client, 1234)}


def sent(event):
    """A function's scope."""
    return Reader(lambda path: True).read(event, None).scope


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::FFFF", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::1]:443", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::1]", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:cb00:7109]:80", "203.0.113.9"),
        ("::1", "::/64"),
    ],
)
def test_an_address_counts_under_one_name(text, name):
    assert counted_as(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "testclient",
        "unknown",
        "_hidden",
        "203.0.113.009",
        "203.0.113",
        "1" * 5000,
        "::1::2",
        "300.1.1.1",
        None,
        7,
        b"x",
    ],
)
def test_what_is_no_address_counts_as_one_unknown_caller(text):
    assert counted_as(text) == "unknown"


@given(st.text())
def test_whatever_is_written_has_a_short_name(text):
    assert len(counted_as(text)) <= 40


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_all_of_a_slash_64_are_one_caller(address, host):
    if address.ipv4_mapped is None:
        neighbour = type(address)(int(address) >> 64 << 64 | host)
        if neighbour.ipv4_mapped is None:
            assert counted_as(str(address)) == counted_as(neighbour.exploded.upper())


@pytest.mark.parametrize("event", [rest_event, http_api_event])
def test_a_gateway_names_the_address_whatever_a_client_writes(event):
    asked = sent(event(source_ip="2001:db8::7", headers={"X-Forwarded-For": "198.51.100.1"}))
    assert principal(asked) == "ip:2001:db8::/64"


@pytest.mark.parametrize("several_values", [False, True])
@pytest.mark.parametrize("forged", [None, "198.51.100.1", "198.51.100.1, 198.51.100.2", "x" * 9000])
def test_a_balancer_wrote_the_last_address(several_values, forged):
    headers = {} if forged is None else {"x-forwarded-for": forged}
    asked = sent(alb_event(headers=headers, source_ip="203.0.113.7:5123", several_values=several_values))
    assert principal(asked) == "ip:203.0.113.7"
    assert asked["client"] == ("203.0.113.7", 0)


def test_a_balancer_that_removes_the_field_names_nobody():
    event = alb_event()
    del event["headers"]["x-forwarded-for"]
    assert principal(sent(event)) == "ip:unknown"


@pytest.mark.parametrize("of", [7, ["203.0.113.1"], {"a": 1}, "no address"])
def test_an_address_of_another_shape_is_unknown(of):
    event = rest_event()
    event["requestContext"]["identity"]["sourceIp"] = of
    assert principal(sent(event)) == "ip:unknown"


FORWARDED_FOR = ("x-forwarded-for", "198.51.100.1, 203.0.113.5, 10.0.0.2")


@pytest.mark.parametrize(
    ("trusted", "found"),
    [
        (None, "10.0.0.3"),
        ("1", "10.0.0.2"),
        ("2", "203.0.113.5"),
        ("3", "198.51.100.1"),
        ("4", "10.0.0.3"),
        ("10.0.0.0/8", "203.0.113.5"),
        ("10.0.0.3", "10.0.0.2"),
        ("192.0.2.0/24", "10.0.0.3"),
        ("10.0.0.0/8, 203.0.113.0/24", "198.51.100.1"),
        ("0::/1, 10.0.0.0/8, 203.0.113.0/24, 198.51.100.0/24", "198.51.100.1"),
        ("x-forwarded-for=2", "203.0.113.5"),
    ],
)
def test_behind_trusted_proxies_the_field_is_read_from_the_right(trusted, found):
    assert principal(served("10.0.0.3", FORWARDED_FOR), trusted) == f"ip:{found}"


def test_several_lines_are_one_list():
    asked = served("10.0.0.3", ("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.5,10.0.0.2"))
    assert principal(asked, "10.0.0.0/8") == "ip:203.0.113.5"


@pytest.mark.parametrize(
    ("trusted", "value", "found"),
    [
        ("forwarded=1", 'for=198.51.100.1, for="[2001:db8:cafe::17]:4711";proto=https', "2001:db8:cafe::/64"),
        ("Forwarded=2", "For=198.51.100.1;by=10.0.0.1, for=10.0.0.2", "198.51.100.1"),
        ("forwarded=10.0.0.0/8", 'for=198.51.100.1, for=203.0.113.5, for="10.0.0.2:80"', "203.0.113.5"),
        ("forwarded=1", "for=198.51.100.1, proto=https", "unknown"),
        ("forwarded=1", "for=198.51.100.1, for=_hidden", "unknown"),
        # An open quote of a client's swallows what the proxies add; it must not shift what stands where.
        ("forwarded=2", 'for=198.51.100.9, for="x, for=203.0.113.5, for=10.0.0.2', "unknown"),
        ("forwarded=2", 'for=198.51.100.9, for=1;x=", for="[2001:db8::1]", for=10.0.0.2', "unknown"),
    ],
)
def test_forwarded_is_read_where_the_proxies_write_it(trusted, value, found):
    asked = served("10.0.0.3", ("forwarded", value), ("x-forwarded-for", "192.0.2.66"))
    assert principal(asked, trusted) == f"ip:{found}"


def test_a_field_that_the_proxies_do_not_write_is_not_read():
    asked = served("10.0.0.3", ("forwarded", "for=192.0.2.66"), FORWARDED_FOR)
    assert principal(asked, "2") == "ip:203.0.113.5"


@given(st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n\0")))
def test_whatever_a_client_writes_the_proxys_own_word_counts(forged):
    asked = served("10.0.0.3", ("x-forwarded-for", f"{forged}, 203.0.113.5"))
    assert principal(asked, "1") == "ip:203.0.113.5"
    assert principal(asked, "10.0.0.0/8") == "ip:203.0.113.5"


def test_a_proxy_before_a_gateway_is_trusted_when_it_is_said():
    asked = {"x-forwarded-for": "198.51.100.9, 203.0.113.5, 10.0.0.2"}
    assert principal(sent(rest_event(source_ip="10.0.0.2", headers=asked)), "1") == "ip:203.0.113.5"
    asked = {"x-forwarded-for": "198.51.100.9, 203.0.113.5"}
    assert principal(sent(alb_event(source_ip="10.0.0.2", headers=asked)), "1") == "ip:203.0.113.5"
    assert principal(sent(http_api_event(source_ip="10.0.0.2", headers=asked)), "10.0.0.2") == "ip:203.0.113.5"


@pytest.mark.parametrize(
    "value", ["0", "17", "-1", "x", "10.0.0.1/8", "0.0.0.0/0", "::/0", "1.5", "via=1", "10.0.0.0/8,,"]
)
def test_a_wrong_setting_is_said_at_start(value):
    with pytest.raises(ConfigurationError, match="TIDEGATE_TRUSTED_PROXIES"):
        principal(served("10.0.0.3"), value)


def test_a_server_behind_a_proxy_that_it_is_not_told_of_says_so_once(monkeypatch):

    said = []
    monkeypatch.setattr(logger(), "warning", lambda message, **_: said.append(message))
    identify = Identifier(Settings(memory_only=True))
    identify(served("8.8.8.8", FORWARDED_FOR))  # a client's own invention
    identify(served("10.0.0.3"))
    assert not said
    for _ in range(3):
        assert identify(served("10.0.0.3", FORWARDED_FOR)).principal == "ip:10.0.0.3"
    assert ["TIDEGATE_TRUSTED_PROXIES" in each for each in said] == [True]
