"""The Idempotency-Key field: what is taken for a key, and what is answered to anything else."""

import http_sf
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.harness.lambda_events import LambdaContext
from tidegate import Policy, Settings
from tidegate.idempotency.fingerprint import Fingerprint
from tidegate.idempotency.protocol import LONGEST_KEY, read_key, request_claim
from tidegate.routing import RoutePolicy
from tidegate.web.problems import Problem

visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=LONGEST_KEY)


def key_of(*values: bytes):
    return read_key({"headers": [(b"host", b"shop"), *((b"idempotency-key", value) for value in values)]})


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        (b'"8e03978e-40d5-43e8-bc93-6894a57f9324"', "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        (b"8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        (b'  "padded"  ', "padded"),
        (b"  padded  ", "padded"),
        (rb'"a\"b\\c"', r'a"b\c'),
        (b'"with";parameters=1', "with"),
        (b"it's=a:bare;key/1", "it's=a:bare;key/1"),
    ],
)
def test_quoted_and_bare_keys_are_taken(sent, key):
    assert key_of(sent) == key


@given(visible)
def test_a_key_is_the_same_however_it_is_sent(key):
    assert key_of(http_sf.ser(key).encode()) == key
    if not key.startswith('"') and "," not in key:
        assert key_of(key.encode()) == key


@pytest.mark.parametrize("values", [(), (b"",), (b"   ",)])
def test_a_missing_key_is_a_400_that_asks_for_one(values):
    problem = key_of(*values)
    assert (problem.status, problem.type) == (400, "urn:tidegate:problem:idempotency-key-missing")


@pytest.mark.parametrize(
    "sent",
    [
        b'""',
        b'"unfinished',
        b'"two" "strings"',
        b'"a"b',
        b"two words",
        b'"two words"',
        b"tab\tinside",
        b"null\x00byte",
        b"line\nbreak",
        b"del\x7f",
        "schlüssel".encode(),
        "schlüssel".encode("latin-1"),
        b'"\xff"',
        rb'"\x"',
    ],
)
def test_what_is_no_key_is_a_400_that_says_what_to_write(sent):
    problem = key_of(sent)
    assert isinstance(problem, Problem)
    assert (problem.status, problem.type) == (400, "urn:tidegate:problem:idempotency-key-invalid")
    assert "1 to 255 visible ASCII characters" in problem.detail


@pytest.mark.parametrize("form", [b"%s", b'"%s"'])
def test_255_characters_are_a_key_and_one_more_is_too_long(form):
    assert key_of(form % (b"k" * 255)) == "k" * 255
    problem = key_of(form % (b"k" * 256))
    assert problem.status == 400
    assert "256 characters; 255 are allowed" in problem.detail


@given(st.binary(max_size=300))
@example(b'"' + b"\\" * 500)
@example(b'"k";' + b"p=1;" * 5000)
def test_any_bytes_are_a_key_or_a_400(sent):
    key = key_of(sent)
    if isinstance(key, Problem):
        assert key.status == 400
    else:
        assert 1 <= len(key) <= LONGEST_KEY
        assert all("!" <= character <= "~" for character in key)


ROUTE = RoutePolicy("/orders/{id}", "POST", Policy(idempotent=True))


def claim_of(**changes):
    parts = {
        "key": "k",
        "body": b"{}",
        "principal": "key:a",
        "route": ROUTE,
        "settings": Settings(memory_only=True),
        "method": "POST",
        "path": "/orders/7",
        "query": b"",
        "content_type": b"application/json",
        "context": None,
    } | changes
    scope = {
        "method": parts["method"],
        "path": parts["path"],
        "query_string": parts["query"],
        "headers": [(b"content-type", parts["content_type"])],
        "aws.context": parts["context"],
    }
    fingerprint = Fingerprint(scope)
    fingerprint.update(parts["body"])
    return request_claim(
        parts["key"], fingerprint.hexdigest(), scope, parts["route"], parts["principal"], parts["settings"]
    )


def test_the_same_request_has_the_same_claim_and_each_attempt_is_its_own():
    one, two = claim_of(), claim_of()
    assert (one.id, one.fingerprint) == (two.id, two.fingerprint)
    assert one.attempt_id != two.attempt_id


@pytest.mark.parametrize(
    "change",
    [
        {"key": "other"},
        {"principal": "key:b"},
        {"method": "PUT"},
        {"route": RoutePolicy("/refunds/{id}", "POST", Policy(idempotent=True))},
        {"settings": Settings(memory_only=True, namespace="other")},
    ],
)
def test_a_claim_belongs_to_one_deployment_principal_method_route_and_key(change):
    assert claim_of(**change).id != claim_of().id


@pytest.mark.parametrize(
    "change", [{"body": b"[]"}, {"path": "/orders/8"}, {"query": b"dry=1"}, {"content_type": b"text/plain"}]
)
def test_another_payload_under_one_key_has_another_fingerprint(change):
    assert claim_of(**change).id == claim_of().id
    assert claim_of(**change).fingerprint != claim_of().fingerprint


def test_a_claim_outlives_the_invocation_that_holds_it():
    held = claim_of(context=LambdaContext(timeout_ms=20_000)).hold_ms
    assert 20_000 < held <= 30_000


def test_the_policys_lifetime_goes_before_the_settings():
    settings = Settings(memory_only=True, idempotency_lifetime_ms=5000)
    assert claim_of(settings=settings).lifetime_ms == 5000
    route = RoutePolicy("/orders/{id}", "POST", Policy(idempotent=True, lifetime="1h"))
    assert claim_of(settings=settings, route=route).lifetime_ms == 3_600_000


@pytest.mark.parametrize("claims", ["dynamodb", "redis"])
def test_the_policy_says_whether_redis_may_hold_the_claim(claims):
    route = RoutePolicy("/orders/{id}", "POST", Policy(idempotent=True, claims=claims))
    both = Settings(redis_url="redis://localhost:6379", table="claims", namespace="shop")
    assert claim_of(route=route, settings=both).in_redis == (claims == "redis")


@pytest.mark.parametrize(
    "field", [b'"' + b"k" * 10**6 + b'"', b"k" * 10**6, b'"k"' + b";a=1" * 10**5, b'"' + b"\\\\" * 10**5]
)
def test_a_field_that_is_far_too_long_is_refused_without_being_parsed(field, monkeypatch):
    monkeypatch.setattr(http_sf, "parse", lambda *_, **__: pytest.fail("it was parsed"))
    assert key_of(field).status == 400
