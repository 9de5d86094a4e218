"""The pure parts of the release controller: what is ordered, looked at, decided and filed."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest

from functions.rollout import counted, looks, replays, returning, states, watching
from functions.rollout.aliases import Aliases
from functions.rollout.judge import Counts, VersionCounts
from functions.rollout.judge.histogram import Histogram
from functions.rollout.judge.verdict import Finding, Interval, Verdict
from functions.rollout.migration import MigrationCrashedError
from functions.rollout.order import Order, Target
from functions.rollout.reporting import verdict_document, verdict_of
from functions.rollout.smoke import request as smoke_request

API, WORKER = Target("shop-api", "7", "http"), Target("shop-worker", "5", "queue")
STABLE = {"shop-api": "6", "shop-worker": "4"}


def ordered(steps=((1, 60, 300, "advance"), (50, 60, 300, "hold")), targets=(API, WORKER)):
    way = {"steps": steps, "look_s": 10, "warm": 2, "keep": 5, "hold_s": 600}
    return Order.of(
        {
            "Namespace": "test",
            "Alias": "live",
            "Targets": [{"Name": t.name, "Version": t.version, "Serves": t.serves} for t in targets],
            "Way": json.dumps(way),
        }
    )


def counts(requests, errors=0, latency_us=2_000):
    warm = Counts(requests, errors, 0, Histogram.of([latency_us] * (requests - errors)))
    return VersionCounts(warm, Counts(1, 0, 0, Histogram.of([900_000])))


def test_an_order_is_read_from_the_resource_s_properties():
    order = ordered()
    assert order.targets == (API, WORKER)
    assert [step.percent for step in order.plan.steps] == [1, 50]
    assert order.plan.steps[1].unproven == "hold"
    assert order.migrate is None
    assert order.moving({"shop-api": "7", "shop-worker": "4"}) == (WORKER,)


def test_counts_survive_being_kept():
    kept = counted.of_document(json.loads(json.dumps(counted.as_document(counts(20, 3)))))
    assert kept == counts(20, 3)


def test_less_is_what_came_since():
    assert counted.less(counts(20, 3), counts(15, 1)).warm == counts(5, 2).warm
    assert counted.less(counts(20, 3), counts(20, 3)) == VersionCounts()


def test_a_store_that_lost_its_counts_takes_none_back():
    assert counted.less(counts(2), counts(20, 3)) == VersionCounts()


class Counting:
    """Tells what it was told to, all of it in one minute or by the minute."""

    def __init__(self):
        self.told = {}

    def by_minute(self, function, version, start_s):
        told = self.told.get((function, version), {})
        return told if isinstance(told, dict) else {start_s // 60: told}


def test_each_look_is_a_bucket_of_both_functions():
    counting = Counting()
    counting.told = {("shop-api", "6"): counts(100), ("shop-worker", "4"): counts(10)}
    seen = looks.first(counting, (API, WORKER), STABLE, 10_000)
    counting.told |= {
        ("shop-api", "6"): counts(130, 2),
        ("shop-api", "7"): counts(9, 4),
        ("shop-worker", "5"): counts(1),
    }
    seen = json.loads(json.dumps(looks.again(seen, counting, (API, WORKER), STABLE, (10_010, 0, 1))))
    past, first = looks.buckets(seen)
    assert (past.percent, past.stable.warm.requests, past.canary.warm.requests) == (0, 110, 0)
    assert (first.start_s, first.step, first.percent) == (10_010, 0, 1)
    assert (first.stable.warm.requests, first.stable.warm.server_errors) == (30, 2)
    assert (first.canary.warm.requests, first.canary.warm.server_errors) == (10, 4)
    assert (
        looks.buckets(looks.again(seen, counting, (API, WORKER), STABLE, (10_020, 0, 1)))[-1].canary.warm.requests == 0
    )


def test_what_was_seen_once_stays_seen_and_never_counts_twice():
    def look(seen, of_api):
        counting.told = {("shop-api", "6"): of_api}
        seen = json.loads(json.dumps(looks.again(seen, counting, (API,), {"shop-api": "6"}, (10_010, 0, 1))))
        return seen, looks.buckets(seen)[-1].stable.warm

    counting = Counting()
    seen = looks.first(counting, (API,), {"shop-api": "6"}, 10_000)
    seen, fresh = look(seen, {166: counts(100, 2), 167: counts(10)})
    assert (fresh.requests, fresh.server_errors) == (110, 2)
    seen, fresh = look(seen, {})  # a reader that is new while Redis is away
    assert fresh.requests == 0
    seen, fresh = look(seen, {166: counts(100, 2), 167: counts(15)})
    assert (fresh.requests, fresh.server_errors) == (5, 0)
    # It comes back empty: of the minute under way what it had is missing, and the next ones are counted in full.
    seen, fresh = look(seen, {167: counts(3), 168: counts(7, 1)})
    assert (fresh.requests, fresh.server_errors) == (7, 1)
    assert looks.buckets(seen)[-1].stable.warm.latency == counts(7, 1).warm.latency


def verdict(outcome, then=None, elapsed_s=300.0):
    finding = Finding("errors", 3.0, 200.0, 1.0, 20.0, Interval(0.1, 0.05, 0.2), None)
    return Verdict(outcome, 0, elapsed_s, ("Because.",), (finding,), counts(9).warm, counts(90).warm, then, 40)


def following(told, step=0, **attributes):
    document = {"step": step, "percent": 1, "topped_up": attributes.pop("topped_up", 0)}
    return watching._next(document, ordered(), attributes, told)


def test_a_verdict_survives_being_kept():
    told = verdict("inconclusive", "hold")
    assert verdict_of(json.loads(json.dumps(verdict_document(told)))) == told


def test_what_follows_from_a_verdict():
    assert following(None) == {"outcome": "watch"}
    assert following(verdict("pass")) == {"step": 1, "outcome": "shift"}
    assert following(verdict("pass"), step=1) == {"step": 2, "outcome": "promote"}
    assert following(verdict("fail")) == {"outcome": "roll_back", "reason": "At 1 %: Because."}


def test_a_person_s_word_goes_before_the_judge_s():
    assert following(verdict("pass"), abort=True)["outcome"] == "roll_back"
    assert following(verdict("inconclusive", "hold"), step=1, go_on=True) == {"step": 2, "outcome": "promote"}
    assert following(verdict("fail"), go_on=True)["outcome"] == "roll_back"


def test_without_proof_the_plan_decides():
    assert following(verdict("inconclusive", "advance")) == {"step": 1, "outcome": "shift"}
    assert following(verdict("inconclusive", "top_up")) == {"outcome": "top_up", "wanted": 40}
    assert following(verdict("inconclusive", "top_up"), topped_up=10) == {"step": 1, "outcome": "shift"}
    assert following(verdict("inconclusive", "wait")) == {"outcome": "watch"}
    assert following(verdict("inconclusive", "wait", 601)) == {"step": 1, "outcome": "shift"}
    assert following(verdict("inconclusive", "hold"), step=1) == {"outcome": "hold"}
    waited = following(verdict("inconclusive", "hold", 901), step=1)
    assert waited == {"outcome": "roll_back", "reason": "Nobody decided in time. Because."}


def test_what_an_unattended_hold_comes_to_is_chosen():
    document = {"step": 1, "percent": 50, "topped_up": 0}
    goes_on = ordered()._replace(unattended="go_on")
    assert watching._next(document, goes_on, {}, verdict("inconclusive", "hold")) == {"outcome": "hold"}
    waited = verdict("inconclusive", "hold", 901)
    assert watching._next(document, goes_on, {}, waited) == {"step": 2, "outcome": "promote"}


def test_what_may_be_replayed_is_while_clients_send_too_little():
    document = {"step": 0, "percent": 1, "topped_up": 0}
    up = replays.next_up(ordered(), {"shop-api": ["/v1/products"]}, 1200)
    assert watching._next(document, ordered(), {}, None, up) == {"outcome": "top_up", "wanted": 800}
    assert watching._next(document | {"topped_up": 10}, ordered(), {}, None, up) == {"outcome": "watch"}
    assert replays.next_up(ordered(), {"shop-api": []}, 1200) is None
    assert replays.next_up(ordered()._replace(replay_per_s=0), {"shop-api": ["/"]}, 1200) is None
    assert replays.next_up(ordered(), {"shop-api": ["/"]}, 0) is None


def test_both_versions_get_the_same_replays():
    targets = {"shop-api": ["/a", "/b?c=d", "/e"], "shop-worker": ["/x"]}
    sent = replays.pairs((API, WORKER), STABLE, targets, 4)
    assert [(target.version, path) for target, path in sent] == [
        (version, path) for path in ("/a", "/b?c=d", "/e", "/a") for version in ("7", "6")
    ]
    assert replays.pairs((API,), STABLE, {}, 4) == []


def test_a_replay_is_a_get_with_its_query_and_says_that_it_is_one():
    event = smoke_request("/v1/caf%C3%A9?page=2&tag=a&tag=b", "replay")
    assert (event["path"], event["requestContext"]["tidegate"]) == ("/v1/caf\u00e9", "replay")
    assert event["multiValueQueryStringParameters"] == {"page": ["2"], "tag": ["a", "b"]}
    assert event["queryStringParameters"] == {"page": "2", "tag": "b"}


def asking(target):
    return VersionCounts(counts(10).warm._replace(targets=frozenset({target})))


def test_what_of_stable_may_be_replayed_is_gathered_look_by_look():
    counting = Counting()
    counting.told = {
        ("shop-api", "6"): {166: asking("/a")},
        ("shop-api", "7"): {166: asking("/only the canary's")},
    }
    seen = looks.first(counting, (API,), {"shop-api": "6"}, 10_000)
    assert seen["targets"] == {"shop-api": ["/a"]}
    counting.told = {("shop-api", "6"): {167: asking("/b")}}
    seen = json.loads(json.dumps(looks.again(seen, counting, (API,), {"shop-api": "6"}, (10_010, 0, 1))))
    assert seen["targets"] == {"shop-api": ["/a", "/b"]}


def test_counts_that_a_former_controller_kept_are_read():
    told = counted.of_document([[20, 3, 0, {"179": 17}], [1, 0, 0, {}]])
    assert (told.warm.requests, told.warm.failed, told.cold.requests) == (20, 3, 1)
    assert told.replayed == Counts()


class Functions:
    """Lambda, as far as pruning goes."""

    def __init__(self, versions, aliases):
        self.versions, self.aliases = versions, aliases

    def get_paginator(self, name):
        assert name == "list_versions_by_function"
        return self

    def paginate(self, FunctionName):  # noqa: N803  # boto's name
        middle = len(self.versions) // 2
        for page in (["$LATEST", *self.versions[:middle]], self.versions[middle:]):
            yield {"Versions": [{"Version": version} for version in page]}

    def list_aliases(self, FunctionName):  # noqa: N803  # boto's name
        return {"Aliases": self.aliases}

    def delete_function(self, FunctionName, Qualifier):  # noqa: N803  # boto's names
        self.versions.remove(Qualifier)


def test_pruning_keeps_the_last_the_named_and_the_promoted():
    aliases = [
        {"FunctionVersion": "12"},
        {"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}}},
    ]
    functions = Functions([str(number) for number in range(1, 13)], aliases)
    assert Aliases(functions, "live").prune("shop-api", 3, {"5"}) == ["1", "4", "6", "7", "8", "9"]
    assert functions.versions == ["2", "3", "5", "10", "11", "12"]


def test_pruning_takes_what_was_given_up_and_nothing_newer_than_in_force():
    functions = Functions([str(number) for number in range(1, 13)], [{"FunctionVersion": "10"}])
    assert Aliases(functions, "live").prune("shop-api", 5, {"7"}, {"9", "8", "7", "12"}) == [
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "8",
        "9",
    ]
    assert functions.versions == ["7", "10", "11", "12"]


class Runner:
    """The function `migrate`, which answers one after the other; None: it is killed."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def invoke(self, FunctionName, Payload):  # noqa: N803  # boto's names
        answer = self._answers.pop(0)
        if answer is None:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "it was killed"}')}
        return {"Payload": io.BytesIO(json.dumps({"progress": {}, **answer}).encode())}


class Item:
    """The ledger, as far as a migration needs it."""

    def __init__(self, aborted=False):
        self._aborted = aborted

    def write(self, token, **attributes):
        pass

    def aborted(self):
        return self._aborted


def expanded(*answers, aborted=False):
    using = SimpleNamespace(ledger=Item(aborted), invoke=Runner(*answers).invoke)
    return states.expand({"token": 1, "id": "r"}, ordered()._replace(migrate="migrate"), using)


def test_a_failed_migration_rolls_back_and_a_crashed_one_is_called_again():
    done = {"outcome": "done", "schema": 2, "schema_before": 1}
    assert done.items() <= expanded({"status": "done", "schema": 2, "before": 1}).items()
    failed = expanded({"status": "failed", "schema": 1, "reason": "0002_wrong: ValidationException"})
    assert failed == {"outcome": "roll_back", "reason": "The migration failed. 0002_wrong: ValidationException"}
    with pytest.raises(MigrationCrashedError, match=r"migrate didn't answer .*it was killed"):
        expanded(None)  # the machine repeats the state, and goes on where the runner was


def test_a_migration_that_goes_on_is_aborted_too():
    assert expanded({"status": "more", "schema": 1}, aborted=True)["reason"] == "Aborted by hand."


def test_the_reason_of_a_controller_that_failed_is_the_function_s():
    error = {"Error": "MigrationCrashedError", "Cause": json.dumps({"errorMessage": "it was killed", "stackTrace": []})}
    assert returning.error_of({"error": error}) == "The controller failed: MigrationCrashedError: it was killed"
    assert returning.error_of({"error": {"Error": "States.Timeout"}}) == "The controller failed: States.Timeout: "
