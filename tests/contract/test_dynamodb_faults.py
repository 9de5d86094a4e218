"""DynamoDB's faults: each is one error of ours, ends by itself, and is forgotten when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import pytest

from tests.contract.places import AMPLE_S, Place, close
from tests.contract.store_errors import answered, kind_of
from tests.contract.workers import request
from tests.harness.dynamodb import DynamoServer
from tests.harness.http_faults import EXPIRED, INTERNAL, REQUEST_LIMIT, THROTTLED, UNAVAILABLE, AwsError, HttpFaults
from tests.harness.tcp_proxy import TcpProxy
from tidegate.clock import SystemClock
from tidegate.idempotency.claim_store import ClaimStore
from tidegate.idempotency.dynamodb import DynamoClaims
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Granted, Question
from tidegate.stores.base import Store
from tidegate.stores.dynamodb import client as aws
from tidegate.stores.dynamodb.client import DynamoClient, DynamoTimeouts

TIMEOUT_S = 0.2
# Not about speed: botocore's own bounds are a minute each, and four attempts.
ENDS_WITHIN_S = 5.0

QUESTION = Question("subject", (Charge("a", Bucket(60_000_000, 1000)),))
CLAIM = request("claim", "first")

CALLS: dict[str, Callable[[Store, ClaimStore], object]] = {
    "admit": lambda store, _: store.admit(QUESTION),
    "probe": lambda store, _: store.probe(),
    "claim": lambda _, claims: claims.claim(CLAIM),
    "recall": lambda _, claims: claims.recall(CLAIM),
    "complete": lambda _, claims: claims.complete(CLAIM, b"answer"),
    "release": lambda _, claims: claims.release(CLAIM),
}


@dataclass(frozen=True)
class Way:
    """The server and what stands before it."""

    server: DynamoServer
    proxy: TcpProxy
    errors: HttpFaults

    def heal(self) -> None:
        self.server.cont()
        self.proxy.pass_through()
        self.errors.heal()


FAULTS: dict[str, tuple[Callable[[Way], object], set[str]]] = {
    "refused": (lambda way: way.proxy.refuse(), {"refused"}),
    "stopped": (lambda way: way.server.stop(), {"timeout"}),
    "accepts and never answers": (lambda way: way.proxy.hang(), {"timeout"}),
    "too slow": (lambda way: way.proxy.delay(2000 * TIMEOUT_S), {"timeout"}),
    # A connection that is reset while it is made can't be told from one that is refused.
    "reset": (lambda way: way.proxy.reset(), {"reset", "refused"}),
    "reset in mid-reply": (lambda way: way.proxy.reset(after_bytes=30), {"reset"}),
    "half a reply": (lambda way: way.proxy.half_reply(30), {"timeout"}),
    "throttled": (lambda way: way.errors.fail(THROTTLED), {"throttled"}),
    "account's limit": (lambda way: way.errors.fail(REQUEST_LIMIT), {"throttled"}),
    "server error": (lambda way: way.errors.fail(INTERNAL), {"server-error"}),
    "unavailable": (lambda way: way.errors.fail(UNAVAILABLE), {"server-error"}),
    "expired token": (lambda way: way.errors.fail(EXPIRED), {"authentication"}),
    "access denied": (lambda way: way.errors.fail(AwsError(400, "AccessDeniedException", "no")), {"authentication"}),
    "no such table": (lambda way: way.errors.fail(AwsError(400, "ResourceNotFoundException", "no")), {"protocol"}),
}


fails = partial(kind_of, store="dynamodb", within_s=ENDS_WITHIN_S)


@pytest.fixture
def way(dynamo: DynamoServer, http_faults: HttpFaults, tcp_proxy) -> Iterator[Way]:
    made = Way(dynamo, tcp_proxy(http_faults.port), http_faults)
    yield made
    made.heal()


@pytest.fixture
def stores(way: Way, library_table: str) -> Iterator[tuple[Store, ClaimStore]]:
    """Both, with a client each that was used once, outside any fault."""
    place = Place("dynamodb", f"http://{way.proxy.host}:{way.proxy.port}", library_table)
    warm = place.open()
    warm.probe()
    close(warm)
    quick = replace(place, timeout_s=TIMEOUT_S)
    opened = (quick.open(), quick.open_claims())
    yield opened
    for store in opened:
        close(store)


def told(call: Callable[[], object], kinds: set[str]) -> str:
    """Return how a call fails; a machine too busy to answer within the timeout is asked again."""
    deadline = time.monotonic() + AMPLE_S
    while (kind := fails(call)) == "timeout" and "timeout" not in kinds and time.monotonic() < deadline:
        continue
    return kind


@pytest.mark.parametrize("connected", [True, False], ids=["connected", "not connected"])
@pytest.mark.parametrize(("begin", "kinds"), FAULTS.values(), ids=FAULTS)
def test_a_fault_raises_one_error_in_time_and_leaves_nothing_behind(way, stores, begin, kinds, connected):
    store, claims = stores
    store._client.warm()
    if connected:
        answered(store.probe)
        answered(lambda: claims.recall(CLAIM))
    begin(way)
    with ThreadPoolExecutor(len(CALLS)) as at_once:
        found = set(at_once.map(lambda call: told(lambda: call(store, claims), kinds), CALLS.values()))
    way.heal()
    assert found <= kinds
    for call in CALLS.values():
        answered(lambda call=call: call(store, claims))
    assert answered(lambda: store.admit(QUESTION)).admitted


def test_a_server_that_was_killed_is_used_again_when_it_is_back(fresh_dynamo):
    place = Place("dynamodb", fresh_dynamo.endpoint_url, fresh_dynamo.create_library_table())
    store = place.open()
    assert store.admit(QUESTION).admitted
    fresh_dynamo.kill()
    assert fails(lambda: store.admit(QUESTION)) in {"refused", "reset"}
    fresh_dynamo.start()
    assert fails(lambda: store.admit(QUESTION)) == "protocol"
    close(store)


def test_of_connections_that_went_dead_unnoticed_one_costs_its_timeout(way, library_table):
    store = Place("dynamodb", f"http://{way.proxy.host}:{way.proxy.port}", library_table, timeout_s=2.0).open()
    way.proxy.delay(100)
    with ThreadPoolExecutor(8) as at_once:
        list(at_once.map(lambda _: store.probe(), range(8)))
    way.proxy.pass_through()
    assert way.proxy.open_connections > 1
    way.proxy.blackhole()
    assert fails(lambda: store.admit(QUESTION)) == "timeout"
    assert store.admit(QUESTION).admitted
    close(store)


def test_no_credentials_are_an_authentication_error(library_table, dynamo, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    # The session is made once and keeps the credentials that it found: here it is made anew.
    monkeypatch.setattr(aws, "session", aws.session.__wrapped__)
    store = Place("dynamodb", dynamo.endpoint_url, library_table).open()
    assert fails(lambda: store.admit(QUESTION)) == "authentication"
    close(store)


def test_a_claim_whose_acknowledgement_was_lost_is_granted_at_the_retry(way, library_table):
    address = f"http://{way.proxy.host}:{way.proxy.port}"
    client = DynamoClient(DynamoTimeouts(1.0, 0.5, attempts=2), endpoint_url=address)
    claims = DynamoClaims(client, library_table, SystemClock())
    claims.recall(CLAIM)
    way.proxy.half_reply(0, once=True)
    assert claims.claim(CLAIM) == Granted()
    way.proxy.half_reply(0, once=True)
    assert claims.complete(CLAIM, b"answer")
    close(claims)
    assert way.errors.operations.count("PutItem") == 2
