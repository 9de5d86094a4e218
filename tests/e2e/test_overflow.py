"""What is beyond the limit of exports, through API Gateway, the engine's queue and the worker's own function."""

from __future__ import annotations

import time
from urllib.parse import urljoin

import http_sf
import pytest

from tests.harness.queues import client

pytestmark = pytest.mark.e2e

_PATIENCE_S = 90


def _export(cloud, kind="products", tier="pro", **headers):
    body = {"kind": kind, "format": "json"}
    return cloud.http.post(cloud.state["api_url"] + "/v1/exports", headers={**cloud.key(tier), **headers}, json=body)


def _queued(cloud, tier="pro", prefix="export"):
    """Ask, with a key of its own each time, until one has to wait."""
    deadline, number = time.monotonic() + _PATIENCE_S, 0
    while time.monotonic() < deadline:
        number += 1
        key = f'"{prefix}-{number}-{time.time_ns()}"'
        answer = _export(cloud, tier=tier, **{"idempotency-key": key})
        if answer.status_code == 202:
            return key, answer
        assert answer.status_code in {200, 429}, answer.text  # the method's own throttle at the edge is 429
    raise AssertionError("never beyond the limit")


def _where(accepted):
    """Where its 202 leads, resolved as any client does it."""
    return urljoin(str(accepted.url), accepted.headers["location"])


def _read(cloud, accepted, tier="pro"):
    return cloud.http.get(_where(accepted), headers=cloud.key(tier))


def _until_done(cloud, accepted, tier="pro"):
    deadline = time.monotonic() + _PATIENCE_S
    while (answer := _read(cloud, accepted, tier)).status_code in {202, 429}:
        assert time.monotonic() < deadline, answer.text
        time.sleep(min(1, int(answer.headers["retry-after"])))
    return answer


def test_an_export_beyond_the_limit_waits_runs_and_is_read(cloud):
    key, accepted = _queued(cloud)
    assert accepted.headers["content-type"] == "application/json"
    assert int(http_sf.parse(accepted.headers["retry-after"].encode(), tltype="item")[0]) >= 1
    left = dict(http_sf.parse(accepted.headers["ratelimit"].encode(), tltype="list"))
    assert [parameters["r"] for parameters in left.values()] == [0]
    assert accepted.json()["state"] == "queued"
    assert _where(accepted) == f"{cloud.state['api_url']}/v1/requests/{accepted.json()['id']}"

    done = _until_done(cloud, accepted)
    assert done.status_code == 200
    assert done.headers["tidegate-request-state"] == "done"
    assert done.headers["content-disposition"] == 'attachment; filename="products.json"'
    assert done.json()["rows"]
    deadline = time.monotonic() + _PATIENCE_S
    while (again := _export(cloud, **{"idempotency-key": key})).status_code == 429:  # the edge's
        assert time.monotonic() < deadline
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.content == done.content


def test_only_its_owner_may_read_or_cancel_it(cloud):
    _, accepted = _queued(cloud)
    assert _read(cloud, accepted, "internal").status_code == 404
    assert cloud.http.delete(_where(accepted), headers=cloud.key("internal")).status_code == 404
    assert _until_done(cloud, accepted).status_code == 200


def test_what_is_cancelled_in_time_is_not_run(cloud):
    for attempt in range(20):  # the worker may be quicker
        _, accepted = _queued(cloud, prefix=f"cancelled-{attempt}")
        cancelled = cloud.http.delete(_where(accepted), headers=cloud.key("pro"))
        if cancelled.status_code == 204:
            break
        assert cancelled.status_code == 409
    gone = _read(cloud, accepted)
    assert (gone.status_code, gone.headers["content-type"]) == (410, "application/problem+json")
    assert gone.json()["type"] == "urn:tidegate:problem:request-cancelled"


def test_without_redis_what_waits_is_run_too(cloud):
    _, accepted = _queued(cloud)
    cloud.redis.kill()
    assert _until_done(cloud, accepted).status_code == 200


def test_nothing_is_left_or_given_up(cloud):
    sqs = client(cloud.state["endpoint_url"])
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def messages(output):
        found = sqs.get_queue_attributes(QueueUrl=cloud.state["outputs"][output], AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)

    deadline = time.monotonic() + _PATIENCE_S
    while messages("QueueUrl"):
        assert time.monotonic() < deadline, "messages are left"
        time.sleep(0.2)
    assert messages("DeadLetterUrl") == 0
    sqs.close()
