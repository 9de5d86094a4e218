"""What lies in Redis as a copy isn't trusted: whatever isn't one is a miss, and the next one takes its place."""

import json
import zlib

import pytest

from tests.http.origin import PATH, Origin, is_copy
from tidegate.web.stored_response import StoredResponse

pytestmark = pytest.mark.slow


@pytest.fixture
def origin():
    return Origin(stale="1h")


@pytest.fixture
def api(serve, stores, origin):
    return serve(origin.app, stores.settings())


def head(**changes):
    said = {"v": 1, "status": 200, "headers": [["etag", '"a"']], "deflated": False, "kept": True} | changes
    return json.dumps({name: value for name, value in said.items() if value is not None}).encode()


RECORDS = {
    "nothing": b"",
    "no JSON": b"{\nbody",
    "a number": b"1\nbody",
    "a list": b"[]\nbody",
    "null": b"null\nbody",
    "deep": b"[" * 100_000 + b"]" * 100_000 + b"\nbody",
    "deep within": head()[:-1] + b',"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}\nbody",
    "no status": head(status=None) + b"\nbody",
    "a status of text": head(status="200") + b"\nbody",
    "a status of a truth": head(status=True) + b"\nbody",
    "a status with a fraction": head(status=200.5) + b"\nbody",
    "99": head(status=99) + b"\nbody",
    "1000": head(status=1000) + b"\nbody",
    "one that is never kept": head(status=500) + b"\nbody",
    "a part": head(status=206) + b"\nbody",
    "headers of integers": head(headers=[[1, 2]]) + b"\nbody",
    "headers of one": head(headers=[["etag"]]) + b"\nbody",
    "headers that are none": head(headers=7) + b"\nbody",
    "headers beyond latin-1": head(headers=[["x", "\u20ac"]]) + b"\nbody",
    "no body": head(kept=False) + b"\n",
    "deflated that isn't": head(deflated=True) + b"\nbody",
    "deflated and cut": head(deflated=True) + b"\n" + zlib.compress(b"body" * 100)[:-8],
    "too large": head() + b"\n" + b"x" * (1024 * 1024 + 1),
    "inflated too large": head(deflated=True) + b"\n" + zlib.compress(b"x" * (2 * 1024 * 1024)),
    "bytes": bytes(range(256)) * 10,
}


def key_of(redis_db):
    [key] = redis_db.keys("tidegate:*:k:*")
    return key


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_that_is_none_is_a_miss_once(api, origin, redis_db, record):
    api.get(PATH)
    redis_db.hset(key_of(redis_db), "record", record)
    first, second = api.get(PATH), api.get(PATH)
    assert (first.status_code, first.content) == (200, b"answer 2")
    assert is_copy(second)
    assert second.content == b"answer 2"
    assert origin.calls == 2


@pytest.mark.parametrize("field", ["born", "made", "fresh", "stale", "error", "delta", "tags"])
@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "inf", "1e300", "9" * 400, b"\xff\xfe", "0x", None])
def test_a_hash_with_odd_fields_is_never_an_error(api, redis_db, field, value):
    api.get(PATH)
    key = key_of(redis_db)
    if value is None:
        redis_db.hdel(key, field)
    else:
        redis_db.hset(key, field, value)
    for _ in range(2):
        answer = api.get(PATH)
        assert (answer.status_code, answer.content[:7]) == (200, b"answer ")
        assert int(answer.headers.get("age", 0)) < 60


@pytest.mark.parametrize(
    "field", ["lease", "granted", "until", "claims", "waited", "resting", "passing", "size", "ends"]
)
@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "9" * 400, b"\xff\xfe"])
def test_nor_is_a_lease_or_an_account_with_odd_ones(api, redis_db, field, value):
    api.get(PATH)
    key = key_of(redis_db)
    redis_db.hdel(key, "record")
    redis_db.hset(key, mapping={field: value, "payer": value})
    for _ in range(2):
        assert api.get(PATH).status_code == 200


@pytest.mark.parametrize("kind", ["k", "t", "b"])
@pytest.mark.parametrize("other", ["string", "list", "set", "stream"])
def test_a_key_of_another_type_is_never_an_error(api, origin, redis_db, kind, other):
    """The copy's, a tag's stamp, the accounts of what copies take."""
    api.get(PATH)
    found = [*redis_db.keys(f"tidegate:*:{kind}"), *redis_db.keys(f"tidegate:*:{kind}:*")]
    assert found
    for key in found:
        redis_db.delete(key)
        {
            "string": lambda key: redis_db.set(key, "text"),
            "list": lambda key: redis_db.rpush(key, "text"),
            "set": lambda key: redis_db.sadd(key, "text"),
            "stream": lambda key: redis_db.xadd(key, {"text": "text"}),
        }[other](key)
    for path in (PATH, f"{PATH}?x=1", PATH):
        assert api.get(path).status_code == 200
    assert api.post(PATH).status_code == 200
    assert is_copy(api.get(PATH)) is False
    assert is_copy(api.get(PATH))


def test_a_copy_that_cannot_be_read_stands_in_for_no_failure(serve, stores, redis_db):
    origin = Origin(fresh="1ms", stale_if_error="1h")
    api = serve(origin.app, stores.settings())
    api.get(PATH)
    redis_db.hset(key_of(redis_db), "record", b"nothing")
    origin.raises = RuntimeError("broken")
    assert api.get(PATH).status_code == 500


def test_a_copy_from_another_hand_is_given_if_it_is_one(api, redis_db):
    """What is tried above fails by what is wrong with it."""
    api.get(PATH)
    record = StoredResponse(200, ((b"etag", b'"other"'),), b"other").encode()
    redis_db.hset(key_of(redis_db), "record", record)
    assert api.get(PATH).content == b"other"
