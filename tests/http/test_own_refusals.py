"""The application's own words for a refusal: its body and status, our fields; never in place of a replay."""

import pytest
from fastapi import FastAPI
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse

from tidegate import ConfigurationError, Policy, TokenBucket, policy, protect

QUOTA = "https://iana.org/assignments/http-problem-types#quota-exceeded"
ONCE = Policy(limits=[TokenBucket("1/d", name="it")])


def application():
    app = FastAPI()
    app.get("/it")(lambda: "done")

    @app.post("/pay")
    @policy(idempotent=True)
    async def pay():
        return PlainTextResponse("no money", 402)

    return app


def own(refusal):
    body = {
        "error": refusal.title,
        "who": refusal.principal.partition(":")[0],
        "where": refusal.route,
        "wait": refusal.retry_after_s,
    }
    return JSONResponse(body, 420, {"retry-after": "1", "x-own": "yes"})


def test_a_refusal_has_the_applications_body_and_our_fields(run, stores):
    api = run(application(), stores.settings(), default=ONCE, refusal=own)
    api.get("/it", key="ada")
    refused = api.get("/it", key="ada")
    assert (refused.status_code, refused.headers["x-own"]) == (420, "yes")
    wait = int(refused.headers["retry-after"])
    assert wait > 1
    assert refused.json() == {"error": "Quota exceeded", "who": "key", "where": "/it", "wait": wait}
    assert '"it";r=0' in refused.headers["ratelimit"]
    assert refused.headers["ratelimit-policy"] == '"it";q=1;w=86400'


@pytest.mark.parametrize("by", [429, QUOTA])
def test_one_status_or_type_may_have_words_of_its_own(run, memory, by):
    api = run(application(), memory, default=ONCE, refusal={by: lambda refusal: PlainTextResponse(refusal.type, 429)})
    api.get("/it", key="ada")
    assert api.get("/it", key="ada").text == QUOTA
    assert api.post("/pay", key="ada").json()["type"] == "urn:tidegate:problem:idempotency-key-missing"


def test_a_replay_is_never_put_in_other_words(run, stores):
    api = run(application(), stores.settings(), refusal=own)
    key = {"idempotency-key": "one"}
    answers = [api.post("/pay", key="ada", headers=key) for _ in range(2)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(402, "no money")] * 2
    assert answers[1].headers["idempotent-replayed"] == "true"


def fails(_):
    raise KeyError("nothing of ours")


@pytest.mark.parametrize(
    "render",
    [fails, lambda _: PlainTextResponse("well"), lambda _: StreamingResponse(iter([b"x"]), 429), lambda _: None],
)
def test_words_that_can_not_stand_for_a_refusal_are_not_sent(run, memory, render):
    api = run(application(), memory, default=ONCE, refusal=render)
    api.get("/it", key="ada")
    refused = api.get("/it", key="ada")
    assert (refused.status_code, refused.json()["type"]) == (429, QUOTA)


async def later(_):
    return None


@pytest.mark.parametrize("wrong", [later, "no", {429: later}])
def test_words_that_nobody_could_await_are_refused_at_start(memory, wrong):
    with pytest.raises(ConfigurationError, match="refusal"):
        protect(FastAPI(), settings=memory, refusal=wrong)
