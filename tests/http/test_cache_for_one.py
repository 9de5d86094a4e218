"""What is for one alone: nobody else gets it, and nobody waits for it longer than once.

Twenty callers of something that can't be shared were twenty waits, one after the other, and so they were when its
backend failed.
"""

import threading

import pytest
from fastapi import FastAPI, HTTPException, Request, Response

from tests.harness.cache_status import told
from tests.harness.waiting import eventually
from tests.http.cached import AMPLE, PATIENCE_S
from tidegate import Cache, policy

CROWD = 12


class Desk:
    """An application whose first answer is held, and whose next ones come only when a whole crowd asks at once.

    Attributes:
        calls: what each call to a handler was asked with.
        first: lets the first answer go.
        crowd: whoever comes after the first waits here for all the others.
    """

    def __init__(self, *, crowd: int = CROWD) -> None:
        self.calls: list[dict[str, str]] = []
        self.first = threading.Event()
        self.crowd = threading.Barrier(crowd)
        self.answer = lambda _: Response("made")
        self.app = self._make()

    def _serve(self, request: Request) -> Response:
        self.calls.append(dict(request.headers))
        if len(self.calls) == 1:
            assert self.first.wait(PATIENCE_S), "nobody let the first one go"
        else:
            self.crowd.wait(PATIENCE_S)
        return self.answer(request)

    def _make(self) -> FastAPI:
        app = FastAPI()

        @app.get("/cached")
        @policy(limits=[AMPLE], cache=Cache("1h", shared=True, wait="20s"))
        def cached(request: Request):
            return self._serve(request)

        @app.get("/together")
        @policy(limits=[AMPLE], coalesce=True)
        def together(request: Request):
            return self._serve(request)

        return app


def raising(error):
    def answer(_):
        raise error

    return answer


FOR_ONE = {
    "no-store": lambda _: Response("made", headers={"cache-control": "no-store"}),
    "a cookie": lambda _: Response("made", headers={"set-cookie": "a=1"}),
    "no freshness": lambda _: Response("made", headers={"cache-control": "max-age=0"}),
    "an Expires past": lambda _: Response("made", headers={"expires": "0"}),
    "Vary of *": lambda _: Response("made", headers={"vary": "*"}),
    "201": lambda _: Response("made", 201),
    "304": lambda _: Response(status_code=304),
    **{str(status): raising(HTTPException(status)) for status in (400, 401, 403, 406, 412, 416, 429, 500, 503)},
    "an exception": raising(RuntimeError("broken")),
}


@pytest.mark.parametrize("answer", FOR_ONE.values(), ids=FOR_ONE)
@pytest.mark.parametrize("path", ["/cached", "/together"])
def test_all_who_waited_for_it_run_at_once(serve, memory, path, answer):
    desk = Desk()
    desk.answer = answer
    api = serve(desk.app, memory)
    first = api.begin("GET", path)
    eventually(lambda: desk.calls, within_s=PATIENCE_S)
    others = [api.begin("GET", path) for _ in range(CROWD)]
    desk.first.set()
    statuses = {each.result(PATIENCE_S).status_code for each in (first, *others)}
    assert len(statuses) == 1
    assert len(desk.calls) == 1 + CROWD
    assert not any("collapsed" in told(each.result()) for each in others if "cache-status" in each.result().headers)


@pytest.mark.parametrize("path", ["/cached", "/together"])
def test_and_whoever_comes_after_them_does_not_wait_at_all(serve, stores, path):
    desk = Desk(crowd=3)
    desk.answer = FOR_ONE["no-store"]
    api = serve(desk.app, stores.settings())
    desk.first.set()
    api.get(path)
    later = [api.begin("GET", path) for _ in range(3)]
    assert {each.result(PATIENCE_S).status_code for each in later} == {200}


def test_so_it_is_in_other_environments(serve, deploy, stores):
    """Those who wait for another environment's lease run at once when it ends, and those who come later don't wait."""
    desk, other = Desk(), Desk()
    desk.answer = other.answer = FOR_ONE["no-store"]
    other.first.set()
    here, there = serve(desk.app, stores.settings()), serve(other.app, stores.settings())
    other.calls.append({})  # all of its callers are the crowd's
    first = here.begin("GET", "/cached")
    eventually(lambda: desk.calls, within_s=PATIENCE_S)
    waiting = [there.begin("GET", "/cached") for _ in range(CROWD)]
    eventually(lambda: "XREAD" in stores.to_redis.commands, within_s=PATIENCE_S)
    desk.first.set()
    assert {each.result(PATIENCE_S).status_code for each in (first, *waiting)} == {200}

    fresh = Desk(crowd=2)  # an environment that has learned nothing yet
    fresh.answer = desk.answer
    fresh.calls.append({})
    elsewhere = serve(fresh.app, stores.settings())
    elsewhere.get("/openapi.json")
    stores.to_redis.reset_counts()
    both = [elsewhere.begin("GET", "/cached") for _ in range(2)]
    assert {each.result(PATIENCE_S).status_code for each in both} == {200}
    assert "XREAD" not in stores.to_redis.commands


def test_an_answer_that_may_be_kept_after_all_ends_it(serve, stores):
    desk = Desk(crowd=1)
    desk.answer = FOR_ONE["503"]
    api = serve(desk.app, stores.settings())
    desk.first.set()
    assert api.get("/cached").status_code == 503
    desk.answer = lambda _: Response("made")
    assert told(api.get("/cached"))["stored"] is True
    assert told(api.get("/cached"))["hit"] is True


@pytest.mark.parametrize("path", ["/cached", "/together"])
@pytest.mark.parametrize(
    "condition",
    [
        {"if-none-match": '"v1"'},
        {"if-modified-since": "Wed, 01 Jan 2020 00:00:00 GMT"},
        {"if-match": '"v2"'},
        {"if-unmodified-since": "Wed, 01 Jan 2014 00:00:00 GMT"},
        {"if-range": '"v1"'},
    ],
)
def test_a_leaders_condition_is_nobody_elses(serve, stores, path, condition):
    """A handler that judges conditions by itself sees none; each caller's own are judged on the whole answer."""
    desk = Desk(crowd=1)
    desk.answer = lambda request: (
        Response(status_code=304)
        if {"if-none-match", "if-modified-since"} & set(request.headers)
        else Response(status_code=412)
        if {"if-match", "if-unmodified-since"} & set(request.headers)
        else Response("made", headers={"etag": '"v1"', "last-modified": "Wed, 01 Jan 2020 00:00:00 GMT"})
    )
    api = serve(desk.app, stores.settings())
    api.get("/openapi.json")
    leader = api.begin("GET", path, headers=condition)
    eventually(lambda: desk.calls, within_s=PATIENCE_S)
    stores.to_redis.reset_counts()
    others = [api.begin("GET", path) for _ in range(5)]
    alike = api.begin("GET", path, headers=condition)
    eventually(lambda: stores.to_redis.commands.count("EVALSHA") >= 6, within_s=PATIENCE_S)
    desk.first.set()
    assert {(each.result(PATIENCE_S).status_code, each.result().content) for each in others} == {(200, b"made")}
    expected = 200 if "if-range" in condition else 412 if {"if-match", "if-unmodified-since"} & set(condition) else 304
    assert leader.result(PATIENCE_S).status_code == alike.result(PATIENCE_S).status_code == expected
    assert not any(set(condition) & set(fields) for fields in desk.calls)


def test_a_part_is_asked_of_the_handler_and_shared_with_nobody(serve, memory):
    desk = Desk(crowd=2)
    desk.answer = lambda request: Response("ma" if "range" in request.headers else "made")
    api = serve(desk.app, memory)
    part = api.begin("GET", "/cached", headers={"range": "bytes=0-1", "if-range": '"v1"'})
    eventually(lambda: desk.calls, within_s=PATIENCE_S)
    whole = api.begin("GET", "/cached")
    another = api.begin("GET", "/cached", headers={"range": "bytes=0-1"})
    assert (whole.result(PATIENCE_S).content, another.result(PATIENCE_S).content) == (b"made", b"ma")
    desk.first.set()
    assert part.result(PATIENCE_S).content == b"ma"
    assert desk.calls[0]["if-range"] == '"v1"'
