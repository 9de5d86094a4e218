"""Which answers are kept, which fields they carry, and when 304 stands for them; fields read back by http_sf."""

import http_sf
import pytest

from tidegate import Cache
from tidegate.cache import conditional, fields
from tidegate.cache.storable import LARGEST_BYTES, verdict, verdict_for_those_at_once
from tidegate.cache_messages import Windows
from tidegate.web.stored_response import StoredResponse

CACHE = Cache("30s", stale="5m", vary=("Accept-Language",), not_found="5s", shared=True)


def answer(status=200, body=b"{}", **headers):
    named = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
    return StoredResponse(status, named, body)


@pytest.mark.parametrize(
    ("response", "private", "reason"),
    [
        (answer(), False, None),
        (answer(301), False, None),
        (answer(set_cookie="a=1"), False, "set-cookie"),
        (answer(set_cookie="a=1"), True, "set-cookie"),
        (answer(cache_control="no-store"), True, "no-store"),
        (answer(cache_control="max-age=5, No-Cache"), True, "no-cache"),
        (answer(cache_control="private"), False, "private"),
        (answer(cache_control="private"), True, None),
        (answer(cache_control="max-age=0"), False, "max-age"),
        (answer(cache_control="max-age=soon"), False, "max-age"),
        (answer(vary="accept-language"), False, None),
        (answer(vary="Accept-Language, Authorization"), False, "vary"),
        (answer(vary="Cookie"), False, "vary"),
        (answer(vary="Cookie"), True, None),
        (answer(vary="*"), True, "vary"),
        (answer(vary="Accept-Encoding"), False, "vary"),
        (answer(500), False, "status-500"),
        (answer(201), False, "status-201"),
        (answer(206), False, "status-206"),
        (answer(404), False, None),
        (answer(body=b"x" * (LARGEST_BYTES + 1)), False, "too-large"),
    ],
)
def test_whether_an_answer_is_kept(response, private, reason):
    judged = verdict(CACHE, response, private=private)
    assert (judged.windows is None, judged.reason) == (reason is not None, reason)


def test_those_who_waited_never_get_what_was_for_one_alone_nor_a_failure():
    assert not verdict(CACHE, answer(set_cookie="a=1"), private=True).common
    assert not verdict(CACHE, answer(503), private=True).common
    assert verdict(CACHE, answer(), private=False).common
    assert verdict(CACHE, answer(body=b"x" * (LARGEST_BYTES + 1)), private=False).common


@pytest.mark.parametrize("status", [201, 304, 400, 401, 403, 405, 406, 412, 416, 429])
def test_what_could_not_be_kept_is_for_the_one_who_asked(status):
    assert not verdict(CACHE, answer(status), private=False).common
    assert not verdict_for_those_at_once(answer(status)).common


def test_the_handlers_own_lifetime_only_ever_shortens_freshness():
    assert verdict(CACHE, answer(cache_control="max-age=5"), private=False).windows == Windows(5000, 300_000, 300_000)
    assert verdict(CACHE, answer(cache_control="max-age=5, s-maxage=7"), private=False).windows.fresh_ms == 7000
    assert verdict(CACHE, answer(cache_control="max-age=900"), private=False).windows == CACHE.found


def test_a_404_has_a_time_of_its_own_or_none():
    assert verdict(CACHE, answer(404), private=False).windows == Windows(5000)
    assert verdict(Cache("30s"), answer(404), private=False).reason == "status-404"


def parsed(status):
    [(name, told)] = http_sf.parse(status.field(), tltype="list")
    return str(name), {key: value if isinstance(value, bool | int) else str(value) for key, value in told.items()}


def test_cache_status_is_a_list_of_one_token():
    assert parsed(fields.CacheStatus(hit=True, ttl=-4)) == ("tidegate", {"hit": True, "ttl": -4})
    told = fields.CacheStatus(fwd="uri-miss", fwd_status=200, stored=True, collapsed=True, detail="set-cookie")
    assert parsed(told) == (
        "tidegate",
        {"fwd": "uri-miss", "fwd-status": 200, "stored": True, "collapsed": True, "detail": "set-cookie"},
    )


def test_cache_control_says_the_windows_or_that_nothing_is_kept():
    assert fields.cache_control(CACHE.found, private=False) == (
        b"max-age=30, stale-while-revalidate=300, stale-if-error=300"
    )
    assert fields.cache_control(Windows(1500), private=True) == b"private, max-age=1"
    assert fields.cache_control(None, private=False) == b"no-store"


def test_an_answer_is_completed_and_the_handlers_own_word_stands():
    own = answer(cache_control="max-age=5").headers
    assert fields.completed(own, CACHE, CACHE.found, private=False) == (*own, (b"vary", b"accept-language"))
    varying = answer(cache_control="max-age=5", vary="Accept-Language").headers
    assert fields.completed(varying, CACHE, CACHE.found, private=False) == varying
    assert fields.completed((), Cache("1s"), None, private=False) == ((b"cache-control", b"no-store"),)


def test_a_200_has_an_etag_of_its_body_unless_it_has_one():
    first, second = conditional.tagged(answer(body=b"a")), conditional.tagged(answer(body=b"b"))
    assert dict(first.headers)[b"etag"] != dict(second.headers)[b"etag"]
    assert conditional.tagged(answer(body=b"a")) == first
    assert conditional.tagged(answer(etag='W/"v1"')) == answer(etag='W/"v1"')
    assert conditional.tagged(answer(404)) == answer(404)


@pytest.mark.parametrize(
    ("if_none_match", "status"),
    [
        ('"v1"', 304),
        ('W/"v1"', 304),
        ('"v0", "v1"', 304),
        ("*", 304),
        ('"a, b", "v1"', 304),
        ('"v2"', 200),
        ("v1", 200),
        (None, 200),
    ],
)
def test_a_client_that_has_the_answer_gets_304(if_none_match, status):
    whole = answer(etag='"v1"', cache_control="max-age=5", content_type="text/plain", vary="accept")
    given = conditional.answered(whole, if_none_match)
    assert given.status == status
    if status == 304:
        assert (given.body, {name for name, _ in given.headers}) == (b"", {b"etag", b"cache-control", b"vary"})


def test_nothing_else_than_a_200_becomes_a_304():
    assert conditional.answered(answer(404, etag='"v1"'), "*").status == 404
