"""Who is asking: found in the events of both kinds of API Gateway, or in the connection."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.lambda_events import http_api_event, rest_event
from tidegate import Settings
from tidegate.digests import digest
from tidegate.identity.caller import Identifier, caller_of

SECRET_VALUE = "k3y-Value-that-nobody-may-see"
TRUSTED = Settings(memory_only=True, trust_api_key_header=True, principal_secret="pepper")
UNTRUSTED = Settings(memory_only=True)


def scope(
    event: dict[str, Any] | None = None, *, api_key: str | None = None, client: Any = ("192.0.2.1", 1234)
) -> dict:
    headers = [] if api_key is None else [(b"x-api-key", api_key.encode())]
    made = {"type": "http", "headers": headers, "client": client}
    return made if event is None else made | {"aws.event": event}


def principal(*arguments: Any, settings: Settings = UNTRUSTED, **options: Any) -> str:
    return Identifier(settings)(scope(*arguments, **options)).principal


def test_a_rest_apis_lambda_authorizer_names_the_user():
    assert principal(rest_event(authorizer={"principalId": "ada"}, api_key_id="id1")) == "user:ada"


def test_a_rest_apis_cognito_authorizer_names_the_user():
    assert principal(rest_event(authorizer={"claims": {"sub": "5f2d", "email": "a@b"}})) == "user:5f2d"


def test_an_http_apis_jwt_names_the_user():
    event = http_api_event(authorizer={"jwt": {"claims": {"sub": "5f2d"}, "scopes": None}})
    assert principal(event) == "user:5f2d"


def test_an_http_apis_lambda_authorizer_names_the_user():
    event = http_api_event(authorizer={"lambda": {"principalId": "ada", "plan": "pro"}})
    assert principal(event) == "user:ada"


def test_the_api_keys_id_names_the_caller_where_nobody_is_authorised():
    event = rest_event(api_key_id="id1", headers={"x-api-key": SECRET_VALUE})
    assert principal(event, api_key=SECRET_VALUE) == "key:id1"
    assert principal(event, api_key=SECRET_VALUE, settings=TRUSTED) == "key:id1"


def test_the_fields_value_is_believed_only_if_a_gateway_checks_it():
    event = rest_event(headers={"x-api-key": SECRET_VALUE}, source_ip="203.0.113.9")
    assert principal(event, api_key=SECRET_VALUE) == "ip:203.0.113.9"


def test_a_trusted_field_names_the_caller_without_showing_its_value():
    found = principal(rest_event(), api_key=SECRET_VALUE, settings=TRUSTED)
    assert found.startswith("key:")
    assert SECRET_VALUE not in found
    assert found == principal(rest_event(), api_key=SECRET_VALUE, settings=TRUSTED)
    assert found != principal(rest_event(), api_key=SECRET_VALUE + "2", settings=TRUSTED)


def test_the_digest_of_a_trusted_field_is_keyed():
    other = Settings(memory_only=True, trust_api_key_header=True, principal_secret="salt")
    ours = principal(api_key=SECRET_VALUE, settings=TRUSTED)
    assert ours != principal(api_key=SECRET_VALUE, settings=other)


def test_without_a_secret_the_namespace_keys_the_digest():
    one, two = (Settings(memory_only=True, trust_api_key_header=True, namespace=name) for name in ("one", "two"))
    assert principal(api_key=SECRET_VALUE, settings=one) != principal(api_key=SECRET_VALUE, settings=two)


@pytest.mark.parametrize("api_key", [None, ""])
def test_without_a_key_the_address_names_the_caller(api_key):
    assert principal(rest_event(source_ip="203.0.113.9"), api_key=api_key, settings=TRUSTED) == "ip:203.0.113.9"


def test_an_http_apis_source_names_the_caller():
    assert principal(http_api_event(source_ip="203.0.113.8")) == "ip:203.0.113.8"


def test_outside_lambda_the_connection_names_the_caller():
    assert principal() == "ip:192.0.2.1"
    assert principal(client=None) == "ip:unknown"


def test_a_forwarded_address_is_not_believed():
    made = scope() | {"headers": [(b"x-forwarded-for", b"198.51.100.1")]}
    assert Identifier(UNTRUSTED)(made).principal == "ip:192.0.2.1"


@pytest.mark.parametrize("event", [{}, {"requestContext": {}}, {"requestContext": {"identity": None}}])
def test_an_event_that_says_nothing_leaves_the_connection(event):
    assert principal(event) == "ip:192.0.2.1"


@pytest.mark.parametrize("authorizer", [{}, {"principalId": ""}, {"claims": None}, {"jwt": None}, {"claims": {}}])
def test_an_authorizer_that_names_nobody_leaves_the_key(authorizer):
    event = rest_event(api_key_id="id1")
    event["requestContext"]["authorizer"] = authorizer
    assert principal(event) == "key:id1"


@given(st.text(st.characters(max_codepoint=0xFF), min_size=12))
def test_no_trusted_value_is_ever_part_of_a_principal(value):
    made = {"headers": [(b"x-api-key", value.encode("latin-1"))], "client": None}
    found = Identifier(TRUSTED)(made).principal
    assert len(found) == len("key:") + 20
    assert value not in found


@given(st.lists(st.text(st.characters(exclude_characters="\x1f")), min_size=1, max_size=4), st.integers(1, 32))
def test_a_digest_is_short_safe_and_tells_its_parts_apart(parts, size):
    name = digest(*parts, size=size)
    assert len(name) == -(-size * 4 // 3)
    assert all(character.isalnum() or character in "-_" for character in name)
    assert name == digest(*parts, size=size)
    assert digest(*parts, "", size=16) != digest(*parts, size=16)


@pytest.mark.parametrize(
    "authorizer",
    [
        {"principalId": "ada", "organisation": "acme", "timeZone": "Europe/Zurich"},
        {"lambda": {"sub": "ada", "org_id": "acme", "timeZone": "Europe/Zurich"}},
    ],
)
def test_an_authorizer_may_say_whose_the_caller_is_and_where(authorizer):
    found = Identifier(UNTRUSTED)(scope(rest_event(authorizer=authorizer)))
    assert (found.principal, found.organisation, found.time_zone) == ("user:ada", "acme", "Europe/Zurich")


ZONED = {"sub": "ada", "zoneinfo": "Asia/Tokyo", "timeZone": "Asia/Tokyo", "custom:zone": "Europe/Zurich"}


@pytest.mark.parametrize("authorizer", [{"claims": ZONED}, {"jwt": {"claims": ZONED}}])
def test_a_claim_says_where_a_caller_is_only_if_the_operator_believes_it(authorizer):
    asked = scope(rest_event(authorizer=authorizer))
    assert Identifier(UNTRUSTED)(asked).time_zone is None
    for claim, zone in (("zoneinfo", "Asia/Tokyo"), ("custom:zone", "Europe/Zurich"), ("none", None)):
        assert Identifier(Settings(memory_only=True, time_zone_claim=claim))(asked).time_zone == zone


@pytest.mark.parametrize("zone", [7, ["UTC"], {"a": 1}, True, ""])
def test_a_time_zone_that_is_no_text_is_none(zone):
    found = Identifier(UNTRUSTED)(scope(rest_event(authorizer={"principalId": "ada", "timeZone": zone})))
    assert found.time_zone is None


def test_who_is_known_by_address_alone_is_unknown():
    assert Identifier(UNTRUSTED)(scope()).unknown
    assert not Identifier(UNTRUSTED)(scope(rest_event(api_key_id="id1"))).unknown


def test_an_address_or_an_api_key_expresses_nobodys_credential():
    assert not Identifier(UNTRUSTED)(scope()).expressed
    assert not Identifier(UNTRUSTED)(scope(rest_event(api_key_id="id1"))).expressed
    assert Identifier(UNTRUSTED)(scope(rest_event(authorizer={"principalId": "ada"}))).expressed


@pytest.mark.parametrize(("found", "expressed"), [("ada", True), ("ip:192.0.2.1", False), ("key:id1", False)])
def test_what_an_application_finds_expresses_its_credential(found, expressed):
    assert caller_of(found).expressed is expressed
