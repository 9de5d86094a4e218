"""The event loop that a function's handler gets: as any other to what runs in it, without turns that do nothing."""

import asyncio
import contextvars
import selectors
import socket
import sys
import threading

import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from starlette.responses import StreamingResponse

from tests.harness.lambda_events import LambdaContext, rest_event
from tidegate import lambda_handler
from tidegate.aws_lambda import handler as handler_module

if sys.version_info[:2] not in handler_module.EAGER_LOOP_ON:
    pytest.skip("the eager loop isn't taken on this Python", allow_module_level=True)

from tidegate.aws_lambda.event_loop import EagerLoop

pytestmark = pytest.mark.usefixtures("no_loop")


class CountingSelector(selectors.DefaultSelector):
    """Counts the loop's turns: each asks once what there is to read."""

    turns = 0

    def select(self, timeout=None):
        self.turns += 1
        return super().select(timeout)


@pytest.fixture
def no_loop():
    """As in a function: nobody has set an event loop."""
    asyncio.set_event_loop(None)
    yield
    loop = asyncio.get_event_loop()
    asyncio.set_event_loop(None)
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def selector():
    return CountingSelector()


@pytest.fixture
def loop(no_loop, selector):
    made = EagerLoop(selector)
    asyncio.set_event_loop(made)
    return made


def ask(handler, path):
    return handler(rest_event("GET", path), LambdaContext())


def get(app, path):
    reply = ask(lambda_handler(app), path)
    assert reply["statusCode"] == 200, reply
    return reply["body"]


def test_a_handler_gets_it_where_no_loop_was_set():
    lambda_handler(FastAPI())
    assert isinstance(asyncio.get_event_loop(), EagerLoop)


def test_a_python_that_it_isnt_tried_on_has_the_plain_loop(monkeypatch):
    monkeypatch.setattr(handler_module, "EAGER_LOOP_ON", frozenset())
    lambda_handler(FastAPI())
    assert not isinstance(asyncio.get_event_loop(), EagerLoop)


def test_an_applications_own_loop_stays():
    own = asyncio.new_event_loop()
    asyncio.set_event_loop(own)
    lambda_handler(FastAPI())
    assert asyncio.get_event_loop() is own


def test_a_request_that_waits_for_nothing_takes_no_turn(loop, selector):
    app = FastAPI()

    @app.get("/")
    async def quick():
        return asyncio.get_running_loop() is loop

    assert get(app, "/") == "true"
    assert selector.turns == 0


@pytest.mark.usefixtures("loop")
def test_a_request_that_waits_goes_on_when_it_is_time(selector):
    app = FastAPI()

    @app.get("/")
    async def waits():
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            slow = group.create_task(asyncio.sleep(0.001, "slow"))
            soon = group.create_task(asyncio.sleep(0, "soon"))
        return [slow.result(), soon.result()]

    assert get(app, "/") == '["slow","soon"]'
    assert selector.turns > 1


@pytest.mark.usefixtures("loop")
def test_a_handler_without_async_runs_on_a_thread():
    app = FastAPI()

    @app.get("/")
    def blocking():
        return threading.current_thread() is threading.main_thread()

    assert get(app, "/") == "false"


@pytest.mark.usefixtures("loop")
def test_a_wait_ends_by_its_timeout():
    app = FastAPI()

    @app.get("/")
    async def hangs():
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "ended"

    assert get(app, "/") == '"ended"'


def test_what_a_request_leaves_behind_gets_its_turn(loop, selector):
    app, done, tasks = FastAPI(), [], []

    async def afterwards():
        done.append("begun")
        await asyncio.sleep(0)
        done.append("ended")

    @app.get("/")
    async def leaves():
        tasks.append(asyncio.create_task(afterwards()))
        return len(done)

    handler = lambda_handler(app)
    assert ask(handler, "/")["body"] == "0"
    assert done == ["begun"]  # as on a plain loop: what is scheduled has a step beside the request's last one
    ask(handler, "/")
    assert done[:2] == ["begun", "ended"]
    loop.run_until_complete(asyncio.gather(*tasks))
    assert selector.turns


def test_what_waits_for_a_timer_gets_its_turn(loop, selector):
    timer = loop.call_later(3600, print)
    assert turns_of_a_request(loop, selector) > 0
    timer.cancel()


def test_what_waits_for_a_socket_gets_its_turn(loop, selector):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        received = []
        loop.add_reader(ours, lambda: received.append(ours.recv(10)))
        theirs.send(b"news")
        assert turns_of_a_request(loop, selector) > 0
        assert received == [b"news"]
        loop.remove_reader(ours)
    assert turns_of_a_request(loop, selector) == 0


def turns_of_a_request(loop, selector):
    """The turns of a loop for what waits for nothing."""

    async def nothing():
        pass

    before = selector.turns
    loop.run_until_complete(loop.create_task(nothing()))
    return selector.turns - before


def test_a_responses_background_tasks_end_before_the_invocation(loop):
    app, done = FastAPI(), []

    @app.get("/")
    async def answers(tasks: BackgroundTasks):
        tasks.add_task(done.append, "done")
        return "answered"

    assert get(app, "/") == '"answered"'
    assert done == ["done"]
    assert not asyncio.all_tasks(loop)


@pytest.mark.usefixtures("loop")
def test_streamed_answers_come_whole():
    app = FastAPI()

    @app.get("/")
    async def streams():
        async def parts():
            yield "one "
            await asyncio.sleep(0)
            yield "two"

        return StreamingResponse(parts(), media_type="text/plain")

    assert get(app, "/") == "one two"


def test_a_generator_that_is_left_is_closed_by_the_loop(loop):
    closed = []

    async def endless():
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def leaves():
        async for _ in endless():
            return

    hooks = sys.get_asyncgen_hooks()
    loop.run_until_complete(loop.create_task(leaves()))
    assert sys.get_asyncgen_hooks() == hooks
    loop.run_until_complete(asyncio.sleep(0.001))
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert closed


@pytest.mark.usefixtures("loop")
def test_requests_do_not_see_each_others_context():
    app, seen = FastAPI(), contextvars.ContextVar("seen", default="nothing")

    @app.get("/{name}")
    async def sets(name: str):
        before = seen.get()
        seen.set(name)
        return before

    handler = lambda_handler(app)
    assert [ask(handler, f"/{name}")["body"] for name in ("a", "b")] == ['"nothing"', '"nothing"']
    assert seen.get() == "nothing"


@pytest.mark.usefixtures("loop")
def test_current_task_is_the_requests_own():
    app = FastAPI()

    @app.get("/")
    async def who(request: Request):
        return [asyncio.current_task() is not None, await request.is_disconnected()]

    assert get(app, "/") == "[true,false]"


class Ended(BaseException):
    """Such as what ends a process."""


@pytest.mark.parametrize("error", [ValueError, Ended])
def test_what_ends_a_task_is_raised_and_the_loop_goes_on(loop, error):
    async def fails():
        raise error

    async def works():
        return asyncio.get_running_loop() is loop

    with pytest.raises(error):
        loop.run_until_complete(loop.create_task(fails()))
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    assert not loop.is_running()
    assert loop.run_until_complete(loop.create_task(works()))


def test_it_refuses_what_any_loop_refuses(loop):
    async def nests():
        other = asyncio.sleep(0)
        try:
            loop.run_until_complete(other)
        finally:
            other.close()

    with pytest.raises(RuntimeError, match="already running"):
        loop.run_until_complete(loop.create_task(nests()))


def test_a_closed_loop_takes_no_task():
    loop = EagerLoop()
    loop.close()
    late = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="closed"):
        loop.create_task(late)
    late.close()
    asyncio.set_event_loop(asyncio.new_event_loop())


def test_a_task_factory_is_asked(loop):
    made = []

    def factory(loop, coro, **options):
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    loop.set_task_factory(factory)
    assert loop.run_until_complete(loop.create_task(asyncio.sleep(0, "slept"))) == "slept"
    assert len(made) == 1
