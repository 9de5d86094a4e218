import pytest

pytestmark = pytest.mark.anyio


async def test_it_says_hello_and_what_is_left(http):
    answer = await http.get("/v1/hello")
    assert (answer.status_code, answer.json()) == (200, {"message": "hello"})
    assert answer.headers["ratelimit-policy"] == '"5/s";q=10;w=2'


async def test_the_eleventh_at_once_is_refused(http):
    answers = [await http.get("/v1/hello", headers={"x-forwarded-for": "192.0.2.9"}) for _ in range(12)]
    assert answers[-1].status_code == 429
    assert answers[-1].headers["content-type"] == "application/problem+json"


async def test_it_is_ready(http):
    assert (await http.get("/health/ready")).status_code == 200
