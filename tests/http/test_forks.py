"""A process that is forked after it has answered: its children hang on nothing of its, and are themselves."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import _AWS as CREDENTIALS


@pytest.mark.parametrize("store", ["redis and dynamodb", "memory"])
def test_a_preloaded_servers_workers_answer(stores, store):
    variables = {"TIDEGATE_STORE": "memory"}
    if store != "memory":
        variables = {
            "TIDEGATE_REDIS_URL": stores.redis.url,
            "TIDEGATE_TABLE": stores.table,
            "TIDEGATE_DECISION_BUDGET_MS": "3000",
            "AWS_ENDPOINT_URL": stores.dynamo.endpoint_url,
        }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.http.forked"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=os.environ | CREDENTIALS | variables,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    *children, codes = [line["said"] for line in lines if "said" in line]
    assert codes == [0, 0, 0], done.stderr
    assert [statuses for statuses, _, _ in children] == [[200, 200]] * 3
    assert len({number for _, _, number in children}) == 3
    if store != "memory":
        assert len({name for _, name, _ in children}) == 3
