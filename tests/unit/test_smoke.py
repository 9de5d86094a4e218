"""Versions that are asked: one that hangs is at fault and named, and nobody has to wait for it."""

from __future__ import annotations

import io
import json
import threading

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.rollout import readiness, smoke
from functions.rollout.order import Check, Order, Target
from functions.rollout.patience import Patience, StoppedError
from functions.rollout.smoke import Fault, Smoke

API, WORKER = Target("shop-api", "7", "http"), Target("shop-worker", "5", "queue")
STABLE = {"shop-api": "6", "shop-worker": "4"}
PATHS = (("/health/ready", 200), ("/health/live", 200), ("/v1/books", 200), ("/v1/books/no-such-book", 404))
CHECKS = {"shop-api": tuple(Check(path, None, status) for path, status in PATHS)}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(smoke, "_BETWEEN_S", 0.0)
    monkeypatch.setattr(smoke, "_LOOK_S", 0.01)


def page(status, detail="no database"):
    return {"Payload": io.BytesIO(json.dumps({"statusCode": status, "body": json.dumps({"detail": detail})}).encode())}


class Functions:
    """Lambda: `acts` by function, version and path; an exception is raised, a function called, a number answered."""

    def __init__(self, **acts):
        self.acts, self.asked, self._lock = acts, [], threading.Lock()

    def invoke(self, FunctionName, Qualifier, Payload):  # noqa: N803  # boto's names
        event = json.loads(Payload)
        path = event.get("path", "batch")
        with self._lock:
            self.asked.append((FunctionName, Qualifier, path))
        act = self.acts.get(f"v{Qualifier}") or self.acts.get(path) or (404 if "no-such" in path else 200)
        if isinstance(act, list):
            act = act.pop(0) if len(act) > 1 else act[0]
        if isinstance(act, Exception):
            raise act
        if callable(act):
            act = act()
        if act == "crash":
            told = {"errorType": "KeyError", "errorMessage": "'sku'"}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(told).encode())}
        return page(act)


def hung():
    return ReadTimeoutError(endpoint_url="https://lambda")


def said(functions, targets=(API, WORKER), seconds=30.0):
    return [str(fault) for fault in Smoke(functions, CHECKS).faults(targets, Patience.of(seconds))]


def test_well_versions_have_no_fault():
    functions = Functions()
    assert said(functions) == []
    assert ("shop-worker", "5", "batch") in functions.asked


def test_a_busy_moment_is_asked_again():
    functions = Functions(**{"/v1/books": [503, 503, 200]})
    assert said(functions) == []
    assert functions.asked.count(("shop-api", "7", "/health/live")) == 1, "what was answered isn't asked again"


def test_a_function_of_any_kind_is_asked_what_the_order_says_alone():
    anything, functions = Target("mail", "7", "any"), Functions(**{"/ping": 503})
    assert said(functions, [anything]) == []
    assert Smoke(functions).warm([anything], 5, Patience.of(30)) == []
    assert functions.asked == []
    checks = {"mail": (Check("/ping", None, 200), Check(None, {"path": "event"}), Check(None, {"path": "made"}, 201))}
    faults = [str(fault) for fault in Smoke(functions, checks).faults([anything], Patience.of(30))]
    assert faults == [
        "mail version 7, GET /ping: answers 503: no database.",
        "mail version 7, smoke event 3: answers 200: no database.",
    ]
    Smoke(functions, checks).warm([anything], 5, Patience.of(30))
    assert functions.asked[-5:] == [("mail", "7", "/ping")] * 5


def test_an_order_s_checks_are_read():
    targets = [
        {"Name": "mail", "Version": "7", "Serves": "any", "Smoke": '[{"path": "/ping", "status": 200}, {"event": 1}]'},
        {"Name": "sums", "Version": "2", "Serves": "any", "Smoke": "[]"},
        {"Name": "shop-api", "Version": "7", "Serves": "http"},
    ]
    way = json.dumps({"steps": [], "look_s": 30, "warm": 0, "keep": 5, "hold_s": 0})
    order = Order.of({"Namespace": "n", "Alias": "live", "Targets": targets, "Way": way})
    assert order.checks == {"mail": (Check("/ping", None, 200), Check(None, 1)), "sums": ()}


def test_a_version_that_hangs_is_named_and_asked_no_more():
    functions = Functions(v5=hung(), **{"/health/live": hung()})
    live, books, unknown, batch = said(functions)
    assert live == "shop-api version 7, GET /health/live: no answer within 29 s."
    assert books == "shop-api version 7, GET /v1/books: it wasn't asked any more."
    assert "no-such-book" in unknown
    assert batch == "shop-worker version 5, an empty batch: no answer within 29 s."
    assert [path for *_, path in functions.asked].count("/health/live") == 1


def test_a_version_that_lambda_has_to_end_is_asked_once():
    told = {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 1 Error: Task timed out after 20.00 seconds"}
    functions = Functions()
    invoke = functions.invoke

    def timed_out(**asked):
        invoke(**asked)
        return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(told).encode())}

    functions.invoke = timed_out
    first, *_ = said(functions, (API,))
    assert first.startswith("shop-api version 7, GET /health/ready: crashes (Sandbox.Timedout: ")
    assert len(functions.asked) == 1


def test_nobody_waits_longer_than_there_is_time():
    released = threading.Event()
    try:
        (fault,) = said(Functions(v5=lambda: released.wait(60)), (WORKER,), seconds=0.05)
    finally:
        released.set()
    assert fault.startswith("shop-worker version 5, an empty batch: no answer within")


def test_a_wish_to_stop_is_heard_while_one_waits():
    released = threading.Event()
    try:
        with pytest.raises(StoppedError, match="Aborted"):
            Smoke(Functions(v5=lambda: released.wait(60))).faults((WORKER,), Patience.of(60, lambda: "Aborted."))
    finally:
        released.set()


def test_what_keeps_the_controller_from_asking_is_no_fault_of_a_version():
    with pytest.raises(ConnectionError, match="no route"):
        said(Functions(v7=ConnectionError("no route")))


def test_environments_that_hang_while_they_are_warmed_are_named_once():
    (fault,) = Smoke(Functions(v7=hung()), CHECKS).warm((API, WORKER), 5, Patience.of(30))
    assert str(fault).startswith("shop-api version 7, GET /health/ready: no answer within 29 s, while")


def test_replays_are_sent_to_both_versions_and_end_in_time():
    functions = Functions()
    both = [(API, "/a"), (API._replace(version="6"), "/a")]
    Smoke(functions).replay(both * 20, 10_000, Patience.of(30))
    assert sorted(version for _, version, _ in functions.asked) == ["6"] * 20 + ["7"] * 20
    released = threading.Event()
    try:
        Smoke(Functions(v7=lambda: released.wait(60))).replay(both * 20, 10_000, Patience.of(0.05))
    finally:
        released.set()


ORDER = Order.of(
    {
        "Namespace": "test",
        "Alias": "live",
        "Targets": [{"Name": t.name, "Version": t.version, "Serves": t.serves} for t in (API, WORKER)],
        "Way": json.dumps({"steps": [], "look_s": 1, "warm": 1, "keep": 5, "hold_s": 1}),
    }
)


def found(before, after):
    """Ask the versions in force, change something, and ask again."""
    ill = readiness.ailments(ORDER, STABLE, Smoke(Functions(**before), CHECKS), Patience.of(30))
    return readiness.found(ORDER, STABLE, None, ill, (Smoke(Functions(**after), CHECKS), Patience.of(30)))


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [
        ({}, {}, ""),
        ({}, {"v7": 503}, "shop-api version 7, GET /health/ready: answers 503: no database."),
        # Ill before and after: a mend, and one that mends nothing.
        ({"v6": 503}, {"v6": 503}, ""),
        ({"v6": 503}, {"v6": 503, "v7": 503}, ""),
        ({"v6": "crash"}, {"v6": "crash", "v7": 503}, ""),
        # It got worse: in kind, elsewhere, or beside a version that has recovered.
        ({"v6": 503}, {"v6": 503, "v7": "crash"}, "shop-api version 7, GET /health/ready: crashes"),
        ({"v6": 503}, {"v6": 503, "v5": "crash"}, "shop-worker version 5, an empty batch: crashes"),
        ({"v6": 503}, {"v7": 503}, "shop-api version 7, GET /health/ready: answers 503"),
        # The expansion did it.
        ({}, {"v6": 503}, "The version in force isn't well any more: shop-api version 6, GET /health/ready"),
        ({"v6": 503}, {"v6": 503, "v4": "crash"}, "The version in force isn't well any more: shop-worker version 4"),
    ],
)
def test_only_what_got_worse_is_held_against_a_release(before, after, held):
    faults = found(before, after).faults
    assert bool(faults) is bool(held)
    assert not held or faults[0].startswith(held)


def test_what_is_excused_is_said():
    excused = found({"v6": 503}, {"v6": 503, "v7": 503}).excused
    assert excused[0].startswith("Not held against it, for version 6 does no better: shop-api version 7, GET /health")


def test_a_first_release_is_excused_nothing():
    new = Smoke(Functions(v7=503), CHECKS)
    faults = readiness.found(ORDER, {}, None, readiness.ailments(ORDER, {}, new, Patience.of(9)), (new, Patience.of(9)))
    assert faults.faults == ("shop-api version 7, GET /health/ready: answers 503: no database.",)


def test_faults_survive_the_machine_s_document():
    fault = Fault("f", "1", "GET /", "crash", "crashes")
    assert Fault(*json.loads(json.dumps(list(fault)))) == fault
