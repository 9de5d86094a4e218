"""Units other than requests: an estimate is reserved, and the real figure settled once, however the stream ends."""

import re
from pathlib import Path

import http_sf
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from tidegate import Admitted, ConfigurationError, SlidingWindow, TokenBucket, policy

SENT = {"content": b"x" * 40, "headers": {"content-length": "40"}}
PAGE = Path(__file__).parents[2] / "docs/how-to/llm-tokens.md"


def left(answer):
    return dict(http_sf.parse(answer.headers["ratelimit"].encode(), tltype="list"))["tokens"]["r"]


@pytest.fixture
def recipe(monkeypatch):
    """The page's application, before it is protected."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    names = {}
    exec(code.replace("gate = protect(app)", ""), names)
    return names["app"]


def test_the_recipe_reserves_an_estimate_and_settles_what_was_used(run, stores, recipe):
    api = run(recipe, stores.settings())
    first = api.post("/chat?count=400", key="ada", **SENT)
    assert first.text.startswith("token0 token1 ")
    assert first.headers["ratelimit-policy"] == '"tokens";q=1000;w=86400;qu="tokens"'
    assert left(first) == 1000 - 60
    second = api.post("/chat?count=0", key="ada", **SENT)
    assert left(second) == 1000 - 400 - 60
    assert left(api.post("/chat?count=0", key="ada", **SENT)) == 1000 - 400 - 60


def with_stream(stream, limit=None):
    app = FastAPI()

    @app.post("/chat")
    @policy(limits=[limit or SlidingWindow("100/d", name="tokens", unit="tokens", cost=50)])
    async def chat(admitted: Admitted, fails: bool = False):
        return StreamingResponse(stream(admitted, fails=fails))

    return app


async def breaking(admitted, *, fails):
    admitted.charge(7, "tokens")
    yield "one"
    if fails:
        raise OSError("the model has gone")


def test_a_stream_that_breaks_is_charged_what_it_had_used(serve, stores):
    api = serve(with_stream(breaking), stores.settings())
    api.post("/chat?fails=true", key="ada")
    assert left(api.post("/chat", key="ada")) == 100 - 7 - 50


async def silent(admitted, *, fails):
    yield "one"


def test_a_stream_that_says_nothing_pays_the_estimate(run, stores):
    api = run(with_stream(silent), stores.settings())
    assert [left(api.post("/chat", key="ada")) for _ in range(2)] == [50, 0]
    assert api.post("/chat", key="ada").status_code == 429


def test_more_than_the_estimate_overdraws_and_refuses_the_next(run, stores):
    async def greedy(admitted, *, fails):
        admitted.charge(150, "tokens")
        yield "much"

    bucket = TokenBucket("100/d", name="tokens", unit="tokens", cost=50)
    api = run(with_stream(greedy, bucket), stores.settings())
    assert [api.post("/chat", key="ada").status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("unit", ["", "To kens", '"', 5])
def test_a_unit_that_no_field_can_carry_is_refused(unit):
    with pytest.raises(ConfigurationError, match="unit"):
        TokenBucket("1/s", unit=unit)
