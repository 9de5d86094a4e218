"""What an application raises, as a client and the log see it."""

import asyncio

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from tests.harness.lambda_events import LambdaContext, rest_event
from tests.http.wire import Call, http_scope
from tidegate import ProblemError, TokenBucket, policy, protect

KEY = {"idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


class OutOfPaperError(Exception):
    pass


def failing(error):
    """An application whose one route fails so, in both ways."""
    app = FastAPI()

    @app.get("/fail")
    @policy(limits=[TokenBucket("100/s")])
    async def fail():
        raise error

    @app.post("/fail")
    @policy(limits=[TokenBucket("100/s")], idempotent=True)
    def fail_once():
        raise error

    return app


@pytest.fixture(params=["GET", "POST"])
def failed(request, run, memory):
    """The answer of an application's failing route, plain and idempotent."""
    return lambda app, **options: run(app, memory, **options).request(request.param, "/fail", headers=KEY)


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return body


def test_an_unhandled_exception_says_nothing_inward_and_is_logged(failed, log):
    answer = failed(failing(RuntimeError("inner secret")))
    assert answer.status_code == 500
    assert problem(answer)["type"] == "about:blank"
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    [logged] = [line for line in log.all if line["message"] == "unhandled exception"]
    assert (logged["level"], logged["route"], logged["exception_name"]) == ("ERROR", "/fail", "RuntimeError")
    assert "inner secret" in logged["exception"]
    assert (log.last["outcome"], log.last["reason"], log.last["status"]) == ("failed", "RuntimeError", 500)


def test_a_problem_that_is_raised_is_answered_with_its_members(failed):
    error = ProblemError(409, "out-of-stock", "Out of stock", "None left.", headers={"Retry-After": "60"}, left=0)
    answer = failed(failing(error))
    assert problem(answer) == {
        "type": "urn:tidegate:problem:out-of-stock",
        "title": "Out of stock",
        "status": 409,
        "detail": "None left.",
        "left": 0,
    }
    assert answer.headers["retry-after"] == "60"


def test_a_problem_may_have_a_type_of_its_own(failed):
    answer = failed(failing(ProblemError(402, "https://example.com/probs/no-credit", "No credit")))
    assert problem(answer) == {"type": "https://example.com/probs/no-credit", "title": "No credit", "status": 402}


def test_an_http_exception_is_a_problem_too(failed):
    answer = failed(failing(HTTPException(404, "No such thing.", {"x-more": "1"})))
    assert problem(answer) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "No such thing.",
    }
    assert answer.headers["x-more"] == "1"


def test_an_http_exceptions_structured_detail_is_kept(failed):
    assert problem(failed(failing(HTTPException(400, {"field": "name"}))))["errors"] == {"field": "name"}


def test_a_status_without_a_name_stays_what_it_is(failed):
    answer = failed(failing(HTTPException(499, "Went away.")))
    assert answer.status_code == 499
    assert problem(answer)["detail"] == "Went away."


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_that_allows_no_body_has_none(failed, status):
    answer = failed(failing(HTTPException(status)))
    assert (answer.status_code, answer.content) == (status, b"")
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("kind", [HTTPException, StarletteHTTPException])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_applications_own_handler_of_http_exceptions_is_honoured(serve, memory, kind, when):
    app = failing(HTTPException(404))

    async def handler(request, error):
        return PlainTextResponse("mine", error.status_code)

    if when == "before":
        app.add_exception_handler(kind, handler)
    api = serve(app, memory)
    if when == "after":
        app.add_exception_handler(kind, handler)
    answer = api.get("/fail")
    assert (answer.status_code, answer.text) == (404, "mine")


def test_the_applications_own_handler_of_invalid_requests_is_honoured(serve, memory):
    app = FastAPI()

    @app.get("/numbers/{number}")
    async def number(number: int):
        return number

    @app.exception_handler(RequestValidationError)
    async def handler(request, error):
        return PlainTextResponse("mine", 418)

    assert serve(app, memory).get("/numbers/one").status_code == 418


def test_the_applications_handler_of_its_own_exception_is_honoured(failed):
    app = failing(OutOfPaperError())

    @app.exception_handler(OutOfPaperError)
    async def handler(request: Request, error):
        return JSONResponse({"mine": request.url.path}, 507)

    answer = failed(app)
    assert (answer.status_code, answer.json()) == (507, {"mine": "/fail"})


@pytest.mark.parametrize("registered", [Exception, 500])
@pytest.mark.parametrize("colour", ["async", "def"])
def test_the_applications_catch_all_handler_is_used_and_the_failure_logged(failed, log, registered, colour):
    app = failing(RuntimeError("inner secret"))

    def handler(request, error):
        return PlainTextResponse("mine", 500)

    async def handler_async(request, error):
        return handler(request, error)

    app.add_exception_handler(registered, handler_async if colour == "async" else handler)
    assert failed(app).text == "mine"
    assert log.last["outcome"] == "failed"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_where_that_handler_fails_itself_there_is_an_answer_all_the_same(run, memory, method):
    app = failing(RuntimeError("inner secret"))

    @app.exception_handler(Exception)
    async def handler(request, error):
        raise ValueError("another secret")

    api = run(app, memory)
    answers = [api.request(method, "/fail", headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 500], "and the key isn't left held"
    assert not any("secret" in answer.text for answer in answers)


def test_fastapis_own_answers_can_be_kept(failed):
    answer = failed(failing(HTTPException(404, "No such thing.")), problems=False)
    assert answer.json() == {"detail": "No such thing."}


def test_what_fails_before_the_handler_begins_does_not_bind(run, memory):
    app, fails = FastAPI(), [HTTPException(401), RuntimeError("inner secret")]

    def check():
        if fails:
            raise fails.pop(0)

    @app.post("/guarded", dependencies=[Depends(check)])
    @policy(idempotent=True)
    async def guarded():
        return "done"

    api = run(app, memory)
    assert [api.post("/guarded", headers=KEY).status_code for _ in range(3)] == [401, 500, 200]


@pytest.mark.anyio
async def test_an_exception_after_the_answer_has_begun_ends_the_connection(memory, log):
    app = FastAPI()
    protect(app, settings=memory)

    @app.get("/pieces")
    async def pieces():
        async def make():
            yield "first"
            raise RuntimeError("inner secret")

        return StreamingResponse(make())

    broken = Call(app, http_scope("GET", "/pieces"))
    await asyncio.wait([broken.task], timeout=10)
    assert isinstance(broken.task.exception(), (RuntimeError, ExceptionGroup)), "the server must end the connection"
    assert broken.status == 200
    assert broken.body == b"first"
    assert broken.sent[-1].get("more_body"), "the answer isn't ended as if it were whole"
    assert [line["message"] for line in log.all][-2:] == ["unhandled exception", "request"]
    assert (log.last["outcome"], log.last["status"]) == ("failed", 200)


def test_a_problem_leaves_the_function_as_text(deploy, memory):
    """In base64 it would reach the client so: a REST API decodes only what it was told is binary."""
    api = deploy(failing(RuntimeError()), memory)
    for event in (rest_event("GET", "/fail"), rest_event("GET", "/nowhere"), rest_event("POST", "/fail")):
        reply = api.handler(event, LambdaContext())
        assert reply["isBase64Encoded"] is False
        assert reply["body"].startswith("{")
        assert reply["headers"]["content-type"] == "application/problem+json"
