"""Calls really run at once in other processes, and what goes wrong there is told here."""

import os
import threading
import time

import pytest
import redis

from tests.harness.processes import run_at_once

pytestmark = pytest.mark.slow


def who(worker, *_args):
    return worker.process, worker.thread, worker.index, os.getpid(), threading.get_ident()


def test_results_come_in_order_from_processes_and_threads():
    answers = run_at_once(who, processes=2, threads=3)
    assert [answer[:3] for answer in answers] == [(p, t, 3 * p + t) for p in range(2) for t in range(3)]
    assert len({answer[3] for answer in answers}) == 2
    assert os.getpid() not in {answer[3] for answer in answers}
    assert len({answer[3:] for answer in answers}) == 6


def connect(url, _times):
    return redis.Redis.from_url(url, socket_timeout=10)


def add(worker, _url, times):
    return [worker.shared.incr("sum") for _ in range(times)]


def test_additions_in_redis_are_exact(redis_url):
    answers = run_at_once(add, redis_url, 20, processes=8, threads=4, prepare=connect)
    assert sorted(value for answer in answers for value in answer) == list(range(1, 8 * 4 * 20 + 1))


def fail_in_one(worker):
    if worker.index == 1:
        raise ValueError("the second one fails")


def test_a_failure_is_told_with_its_traceback():
    with pytest.raises(RuntimeError, match=r"(?s)in fail_in_one.*the second one fails"):
        run_at_once(fail_in_one, processes=1, threads=2)


def fail_to_prepare(taken):
    try:
        taken.touch(exist_ok=False)
    except FileExistsError:
        raise ValueError("no connection") from None


def test_one_failed_preparation_ends_the_run(tmp_path):
    with pytest.raises(RuntimeError, match="no connection"):
        run_at_once(who, tmp_path / "taken", processes=2, prepare=fail_to_prepare, deadline_s=30)


def die(worker):
    os._exit(3)


def test_a_dead_process_is_told():
    with pytest.raises(RuntimeError, match="exit code 3"):
        run_at_once(die, processes=1, threads=1)


def never_end(worker):
    time.sleep(3600)


def test_the_deadline_ends_everything():
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="1 of 1 processes"):
        run_at_once(never_end, processes=1, threads=2, deadline_s=3)
    assert time.monotonic() - began < 10
