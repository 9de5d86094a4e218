"""`keep_5xx`: whether a failure of the handler binds, or gives the key up for a retry to run again."""

import pytest
from fastapi import FastAPI, HTTPException

from tests.http.payments import AMPLE
from tidegate import policy

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


@pytest.fixture(params=["dynamodb", "redis"])
def api(request, run, stores):
    app, runs = FastAPI(), []
    forgetting = policy(limits=AMPLE, idempotent=True, claims=request.param, keep_5xx=False)

    @app.post("/status/{status}")
    @forgetting
    def answer(status: int):
        runs.append(1)
        raise HTTPException(status, f"run {len(runs)}")

    @app.post("/broken")
    @forgetting
    async def broken():
        runs.append(1)
        raise RuntimeError(f"run {len(runs)}")

    @app.post("/count")
    @forgetting
    async def count():
        runs.append(1)
        return len(runs)

    made = run(app, stores.settings())
    made.runs = runs
    return made


def twice(api, path):
    return [api.post(path, key="alice", headers=KEY) for _ in range(2)]


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_failure_is_not_kept_and_a_retry_runs_again(api, status):
    first, again = twice(api, f"/status/{status}")
    assert [first.json()["detail"], again.json()["detail"]] == ["run 1", "run 2"]
    assert "idempotent-replayed" not in again.headers


def test_an_unhandled_exception_is_such_a_failure(api):
    first, again = twice(api, "/broken")
    assert [first.status_code, again.status_code, len(api.runs)] == [500, 500, 2]


def test_a_retry_with_another_payload_may_be_tried_then(api):
    api.post("/status/500", key="alice", headers=KEY, content="one")
    assert api.post("/status/500", key="alice", headers=KEY, content="two").status_code == 500


@pytest.mark.parametrize("path", ["/count", "/status/400", "/status/404", "/status/409"])
def test_every_other_answer_binds_as_ever(api, path):
    first, again = twice(api, path)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert len(api.runs) == 1
