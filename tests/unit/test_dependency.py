"""A dependency that is slow, silent, overloaded, or well: what is refused, what is measured, what is told."""

import asyncio
import threading

import httpx
import pytest
from fastapi import FastAPI

from tidegate import ConfigurationError, ProblemError, Settings, deadline, protect
from tidegate.dependency import Dependency, dependencies
from tidegate.errors import DependencyOverloadedError
from tidegate.testing import FakeClock


class Silent(Exception):  # noqa: N818  a driver's
    pass


class Throttled(Exception):  # noqa: N818  a driver's
    pass


def judge(error):
    return {Silent: "silent", Throttled: "throttled"}.get(type(error), "answered")


@pytest.fixture
def database(clock):
    return Dependency("database", most=8, initial=4, judge=judge, clock=clock)


def ask(dependency, clock, took_s=0.01, error=None):
    with dependency.call():
        clock.advance(took_s)
        if error is not None:
            raise error


def lose(dependency, clock, times=2):
    for _ in range(times):
        with pytest.raises(Silent):
            ask(dependency, clock, 2.0, Silent())


def test_a_call_is_counted_while_it_is_under_way(database):
    with database.call():
        assert database.in_flight == 1
    assert database.in_flight == 0


async def _hold(dependency, entered, leave):
    async with dependency.call():
        entered.release()
        await leave.wait()


@pytest.mark.anyio
async def test_more_than_the_limit_are_refused_at_once_and_the_next_is_taken(database):
    leave, entered = asyncio.Event(), asyncio.Semaphore(0)
    held = [asyncio.create_task(_hold(database, entered, leave)) for _ in range(4)]
    for _ in held:
        await entered.acquire()
    assert (database.in_flight, database.pressure) == (4, 1.0)
    with pytest.raises(DependencyOverloadedError, match="under way"):
        async with database.call():
            pass
    leave.set()
    await asyncio.gather(*held)
    async with database.call():
        assert database.in_flight == 1
    assert database.in_flight == 0


def test_threads_never_exceed_the_limit(clock):
    database = Dependency("database", most=5, initial=5, judge=judge, clock=clock)
    peak, refused, lock = [0], [0], threading.Lock()

    def work():
        for _ in range(300):
            try:
                with database.call(), lock:
                    peak[0] = max(peak[0], database.in_flight)
            except DependencyOverloadedError:
                with lock:
                    refused[0] += 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= peak[0] <= 5
    assert database.in_flight == 0


def test_what_the_handler_raises_passes_and_is_an_answer(database, clock):
    with pytest.raises(ZeroDivisionError):
        ask(database, clock, error=ZeroDivisionError())
    assert (database.in_flight, database.breaker, database.pressure) == (0, "closed", 0.0)


def test_silence_opens_the_breaker_and_one_probe_at_a_time_closes_it(database, clock):
    lose(database, clock)
    assert database.breaker == "open"
    with pytest.raises(DependencyOverloadedError, match="not answered"):
        ask(database, clock)
    clock.advance(0.5)
    with database.call(), pytest.raises(DependencyOverloadedError):
        ask(database, clock)
    assert database.breaker == "closed"
    ask(database, clock)


def test_an_answer_between_two_silences_keeps_the_breaker_closed(database, clock):
    for _ in range(5):
        lose(database, clock, 1)
        ask(database, clock)
    assert database.breaker == "closed"


def test_throttling_lowers_the_limit_and_opens_no_breaker(clock):
    database = Dependency("database", most=50, initial=50, judge=judge, clock=clock)
    for _ in range(5):
        with pytest.raises(Throttled):
            ask(database, clock, error=Throttled())
    assert database.limit == int(50 * 0.9**5)
    assert database.breaker == "closed"


def test_a_cancelled_probe_lets_another_one_try(database, clock):
    lose(database, clock)
    clock.advance(1)
    with pytest.raises(asyncio.CancelledError):
        ask(database, clock, error=asyncio.CancelledError())
    assert database.in_flight == 0
    clock.advance(1)
    ask(database, clock)
    assert database.breaker == "closed"


def test_a_check_is_made_whatever_is_known_and_its_answer_counts(database, clock):
    lose(database, clock)
    with database.check():
        clock.advance(0.01)
    assert (database.breaker, database.in_flight) == ("closed", 0)
    ask(database, clock)
    with pytest.raises(Silent), database.check():
        raise Silent
    assert database.breaker == "open"


def test_latency_is_an_average_of_late(database, clock):
    assert database.latency_ms is None
    ask(database, clock, 0.010)
    assert database.latency_ms == pytest.approx(10)
    for _ in range(30):
        ask(database, clock, 0.050)
    assert database.latency_ms == pytest.approx(50, rel=0.05)


def test_pressure_rises_with_silence_and_is_forgotten(database, clock):
    assert database.pressure == 0.0
    lose(database, clock, 1)
    assert database.pressure == 0.5
    lose(database, clock, 1)
    assert database.pressure == 1.0
    clock.advance(5)
    assert database.pressure == pytest.approx(0.5)


def test_pressure_rises_with_latency_and_falls_with_it(database, clock):
    def calls(number, took_s):
        for _ in range(number):
            ask(database, clock, took_s)

    calls(10, 0.010)
    assert database.pressure == 0.0
    calls(10, 0.100)
    assert database.pressure == pytest.approx(1.0)
    calls(20, 0.010)
    assert database.pressure == 0.0


def test_a_call_that_the_request_has_no_time_for_is_not_made(database, clock):
    ask(database, clock, 0.5)
    token = deadline.current.set(clock.monotonic() + 0.4)
    try:
        with pytest.raises(DependencyOverloadedError, match="no time left"):
            ask(database, clock)
        deadline.current.set(clock.monotonic() + 0.6)
        ask(database, clock)
    finally:
        deadline.current.reset(token)


def test_who_observes_is_told_of_every_call_that_was_made(clock):
    seen = []
    database = Dependency("orders", most=8, judge=judge, clock=clock, observe=lambda *told: seen.append(told))
    ask(database, clock, 0.020)
    lose(database, clock)
    with pytest.raises(DependencyOverloadedError):
        ask(database, clock)
    assert seen == [("orders", pytest.approx(20)), ("orders", pytest.approx(2000)), ("orders", pytest.approx(2000))]


def test_the_latest_of_a_name_is_registered(database, clock):
    assert dependencies()["database"] is database
    again = Dependency("database", most=1, judge=judge, clock=clock)
    assert dependencies()["database"] is again
    assert again.limit == 1


@pytest.mark.anyio
async def test_a_handler_that_lets_it_pass_answers_a_problem():
    app = FastAPI()
    protect(app, settings=Settings(memory_only=True))
    clock = FakeClock()
    database = Dependency("database", most=8, judge=judge, clock=clock)
    lose(database, clock)

    @app.get("/orders")
    def orders():
        ask(database, clock)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test") as client:
        answer = await client.get("/orders")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
    assert answer.headers["retry-after"] in {"1", "2", "3"}
    assert "database" not in answer.text


def test_it_is_a_problem_and_no_wrong_setting():
    assert issubclass(DependencyOverloadedError, ProblemError)
    assert not issubclass(DependencyOverloadedError, ConfigurationError)
    assert str(DependencyOverloadedError("database", "It has not answered.", 2)) == "database: It has not answered."
