"""Many requests with one key against real server processes: one run."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import httpx
import pytest

from tests.harness.waiting import eventually
from tests.http.uvicorn_server import UvicornServer

APPLICATION = "tests.http.till:app"
POSTS = 50


@pytest.fixture
def servers(stores, till, tmp_path, closing):
    """Two processes, so that no lock within one explains the outcome."""
    variables = {
        "TIDEGATE_REDIS_URL": stores.to_redis.url(stores.redis.url),
        "TIDEGATE_TABLE": stores.table,
        "TIDEGATE_DECISION_BUDGET_MS": "3000",
        "TILL": str(till),
    }
    made = [UvicornServer(APPLICATION, tmp_path / f"{n}.log", **variables) for n in range(2)]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(closing.enter_context, made))


def pay(client, server, key, amount=1):
    return client.post(f"{server.url}/payments", headers={"idempotency-key": key}, json={"amount": amount})


def test_fifty_at_once_with_one_key_run_once_and_all_learn_the_answer(servers, stores, till):
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(POSTS) as pool:
        answers = list(pool.map(lambda n: pay(client, servers[n % 2], "one"), range(POSTS)))
        assert Counter(answer.status_code for answer in answers).keys() <= {201, 409}
        assert len(till.read_text().splitlines()) == 1
        receipts = {answer.json()["receipt"] for answer in answers if answer.status_code == 201}
        assert len(receipts) == 1
        assert all(answer.headers["retry-after"].isdecimal() for answer in answers if answer.status_code == 409)
        firsts = [a for a in answers if a.status_code == 201 and "idempotent-replayed" not in a.headers]
        assert len(firsts) == 1

        # A claim store that was too slow to take the response gets it with the next replay.
        eventually(lambda: pay(client, servers[0], "one") and stores.claim["state"]["S"] == "completed")
        stores.redis.kill()
        for server in servers:
            # The fallback begins without a burst, and a busy machine's DynamoDB may be too slow to be asked.
            again = eventually(lambda at=server: (got := pay(client, at, "one")).status_code == 201 and got)
            assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
            assert again.content == firsts[0].content
    assert len(till.read_text().splitlines()) == 1


def test_redis_killed_and_restarted_in_the_middle_each_key_runs_once(servers, stores, till):
    keys, one_at_a_time = [f"key-{n}" for n in range(30)], Lock()

    def meanwhile(number):
        with one_at_a_time:
            if number == 10:
                stores.redis.kill()
            if number == 20 and not stores.redis.running:
                stores.redis.start()

    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(16) as pool:

        def until_answered(job):
            number, server = job
            meanwhile(number)
            answer = eventually(
                lambda: (got := pay(client, server, keys[number], number)).status_code not in {409, 429} and got,
                within_s=30,
                every_s=0.05,
            )
            return number, answer.status_code, answer.json()["receipt"]

        answers = list(pool.map(until_answered, [(n, server) for n in range(len(keys)) for server in servers]))
    assert {status for _, status, _ in answers} == {201}
    runs = Counter(line.split()[0] for line in till.read_text().splitlines())
    assert runs == {str(n): 1 for n in range(len(keys))}
    assert len({(number, receipt) for number, _, receipt in answers}) == len(keys)
