"""A check that anybody may ask for: made once at a time, and at most once a second."""

import asyncio
from contextvars import ContextVar

import pytest

from tidegate import HealthCheck
from tidegate.testing import FakeClock

pytestmark = pytest.mark.anyio

DEADLINE: ContextVar[str] = ContextVar("deadline", default="none")


class Store:
    """Answers a check when it is let; until then it hangs."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.asked, self.at_once, self.most_at_once = 0, 0, 0
        self.answers = asyncio.Event()
        self.error: Exception | None = None
        self.seen: list[str] = []
        if not hangs:
            self.answers.set()

    async def ask(self) -> int:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.seen.append(DEADLINE.get())
        try:
            await self.answers.wait()
        finally:
            self.at_once -= 1
        if self.error is not None:
            raise self.error
        return self.asked


async def begun(*tasks: asyncio.Task[int]) -> None:
    """Let these tasks run as far as they come."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_a_thousand_at_once_make_one_check():
    store = Store(hangs=True)
    check = HealthCheck(store.ask)
    asking = [asyncio.create_task(check()) for _ in range(1000)]
    await begun(*asking)
    store.answers.set()
    assert set(await asyncio.gather(*asking)) == {1}
    assert store.asked == 1


async def test_a_report_is_given_out_for_a_second():
    store, clock = Store(), FakeClock()
    check = HealthCheck(store.ask, clock=clock)
    assert await check() == 1
    clock.advance(0.999)
    assert await check() == 1
    clock.advance(0.001)
    assert await check() == 2


async def test_no_second_check_begins_while_a_store_hangs():
    store, clock = Store(), FakeClock()
    check = HealthCheck(store.ask, clock=clock)
    await check()
    store.answers.clear()
    asking = []
    for _ in range(20):
        clock.advance(5)
        asking.append(asyncio.create_task(check()))
        await begun(*asking)
    assert (store.asked, store.most_at_once) == (2, 1)
    store.answers.set()
    assert set(await asyncio.gather(*asking)) == {2}


async def test_an_error_reaches_all_who_wait_and_is_not_kept():
    store = Store(hangs=True)
    store.error = RuntimeError("lost")
    check = HealthCheck(store.ask)
    asking = [asyncio.create_task(check()) for _ in range(3)]
    await begun(*asking)
    store.answers.set()
    assert [str(error) for error in await asyncio.gather(*asking, return_exceptions=True)] == ["lost"] * 3
    store.error = None
    assert await check() == 2


async def test_a_cancelled_request_takes_nobodys_check_away():
    store = Store(hangs=True)
    check = HealthCheck(store.ask)
    first, second = (asyncio.create_task(check()) for _ in range(2))
    await begun(first, second)
    first.cancel()
    store.answers.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_check_that_fails_when_all_have_gone_is_no_news():
    store = Store(hangs=True)
    store.error = RuntimeError("lost")
    check = HealthCheck(store.ask)
    asking = asyncio.create_task(check())
    await begun(asking)
    asking.cancel()
    store.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    store.error = None
    assert await check() == 2


async def test_a_check_has_no_callers_deadline():
    store = Store()
    DEADLINE.set("1 ms")
    await HealthCheck(store.ask)()
    assert store.seen == ["none"]


async def test_a_clock_that_is_put_back_keeps_no_report():
    store, clock = Store(), FakeClock()
    check = HealthCheck(store.ask, clock=clock)
    await check()
    clock.advance(-3600)
    assert await check() == 2


def test_a_check_that_another_loop_has_left_behind_is_made_anew():
    store = Store(hangs=True)
    check = HealthCheck(store.ask, clock=FakeClock())

    async def leave() -> None:
        asking = asyncio.create_task(check())
        await begun(asking)

    asyncio.run(leave())
    store.answers = asyncio.Event()
    store.answers.set()
    assert asyncio.run(check()) == 2
