"""Which answers are given again, by what they say: RFC 9111, 3, 4.2 and 5, with http-tests/cache-tests' cases.

Each row is one of that suite's required checks, or one that it only looks at and we have decided; see docs/caching.md.
"""

import pytest

from tests.harness.waiting import eventually
from tests.http.origin import PATH, Origin, is_copy, kept

HOUR = ("Cache-Control", "max-age=3600")
NOW = ("Date", 0)


@pytest.fixture
def origin():
    return Origin(not_found="1h")


@pytest.fixture
def api(serve, memory, origin):
    return serve(origin.app, memory)


KEPT = {
    "max-age": [HOUR],
    "max-age of 2^31 - 1": [("Cache-Control", "max-age=2147483647")],
    "max-age of 2^31": [("Cache-Control", "max-age=2147483648")],
    "max-age of 2^31 + 1": [("Cache-Control", "max-age=2147483649")],
    "max-age of eleven digits": [("Cache-Control", "max-age=99999999999")],
    "max-age of thousands of digits": [("Cache-Control", f"max-age={'9' * 5000}")],
    "max-age with zeros in front": [("Cache-Control", "max-age=003600")],
    "max-age in quotes": [("Cache-Control", 'max-age="3600"')],
    "max-age in any case": [("Cache-Control", "MaX-aGe=3600")],
    "max-age beside what nobody knows": [("Cache-Control", "foobar, max-age=3600")],
    "max-age over a past Expires": [HOUR, ("Expires", -7200), NOW],
    "max-age over an invalid Expires": [HOUR, ("Expires", "0"), NOW],
    "s-maxage": [("Cache-Control", "s-maxage=3600")],
    "s-maxage over max-age": [("Cache-Control", "max-age=0, s-maxage=3600")],
    "s-maxage over max-age and a past Expires": [("Expires", -10), ("Cache-Control", "max-age=0, s-maxage=3600")],
    "must-revalidate while fresh": [("Cache-Control", "max-age=10000, must-revalidate"), ("ETag", '"abcd"')],
    "Age that is no number": [NOW, HOUR, ("Age", "abc")],
    "Age below 0": [NOW, HOUR, ("Age", "-7200")],
    "Age with a fraction": [NOW, HOUR, ("Age", "7200.0")],
    "Age of 0, then old, in one line": [NOW, HOUR, ("Age", "0, 7200")],
    "Age of 0, then old, in two lines": [NOW, HOUR, ("Age", "0"), ("Age", "7200")],
    "Age of 0 twice": [NOW, HOUR, ("Age", "0, 0")],
    "Age of 0 in two lines": [NOW, HOUR, ("Age", "0"), ("Age", "0")],
    "Age that isn't old, twice": [NOW, ("Cache-Control", "max-age=10000"), ("Age", "3600"), ("Age", "3600")],
    "Expires ahead": [("Expires", 30 * 86400), NOW],
    "Expires ahead of an invalid Date": [("Date", "foo"), ("Expires", 100)],
    "Expires beyond 32 bits": [("Expires", "Tue, 19 Jan 2038 14:14:08 GMT"), NOW],
    "Expires far ahead": [("Expires", "Sun, 21 Nov 2286 04:46:39 GMT"), NOW],
    "Expires in RFC 850's form": [("Expires", "Thursday, 18-Aug-50 02:01:18 GMT"), NOW],
    "Expires in asctime's form": [("Expires", "Thu Aug  8 02:01:18 2050"), NOW],
    "Expires, weekday in capitals": [("Expires", "THU, 18 Aug 2050 02:01:18 GMT"), NOW],
    "Expires, month in capitals": [("Expires", "Thu, 18 AUG 2050 02:01:18 GMT"), NOW],
    "Expires, zone in small letters": [("Expires", "Thu, 18 Aug 2050 02:01:18 gMT"), NOW],
    "Pragma, which answers haven't": [HOUR, ("Pragma", "no-cache")],
    "Content-Disposition": [HOUR, ("Content-Disposition", "attachment; filename=example.txt")],
    "private in quotes": [("Cache-Control", 'extension="private", max-age=3600')],
    "no-store in a quoted text": [("Cache-Control", 'extension="a\\", no-store, b", max-age=3600')],
}

NOT_KEPT = {
    "max-age of 0": [("Cache-Control", "max-age=0")],
    "max-age of 0 over Expires": [("Expires", 3600), ("Cache-Control", "max-age=0"), NOW],
    "max-age below 0": [("Cache-Control", "max-age=-3600")],
    "max-age in single quotes": [("Cache-Control", "max-age='3600'")],
    "max-age with a fraction": [("Cache-Control", "max-age=3600.5")],
    "max-age with letters in front": [("Cache-Control", "max-age=a3600")],
    "max-age with letters behind": [("Cache-Control", "max-age=3600a")],
    "max-age of another script's digits": [("Cache-Control", "max-age=²")],
    "max-age without a value": [("Cache-Control", "max-age")],
    "max-age with an empty value": [("Cache-Control", "max-age=")],
    "max-age, a space before the sign": [("Cache-Control", "max-age =3600")],
    "max-age, a space behind the sign": [("Cache-Control", "max-age= 3600")],
    "two max-age, fresh and stale": [("Cache-Control", "max-age=1800, max-age=0")],
    "two max-age, stale and fresh": [("Cache-Control", "max-age=0, max-age=1800")],
    "two lines of max-age, fresh and stale": [("Cache-Control", "max-age=1800"), ("Cache-Control", "max-age=0")],
    "two lines of max-age, stale and fresh": [("Cache-Control", "max-age=0"), ("Cache-Control", "max-age=1800")],
    "a quoted max-age before the real one": [("Cache-Control", 'extension="max-age=3600", max-age=0')],
    "a quoted max-age behind the real one": [("Cache-Control", 'max-age=0, extension="max-age=3600"')],
    "s-maxage of 0 before max-age": [("Cache-Control", "s-maxage=0, max-age=3600")],
    "s-maxage of 0 behind max-age": [("Cache-Control", "max-age=3600, s-maxage=0")],
    "s-maxage of 0 in a line of its own": [HOUR, ("Cache-Control", "s-maxage=0")],
    "Age beyond max-age": [NOW, HOUR, ("Age", "7200")],
    "Age of 2^31 - 1": [NOW, HOUR, ("Age", "2147483647")],
    "Age of 2^31": [NOW, HOUR, ("Age", "2147483648")],
    "Age of 2^31 + 1": [NOW, HOUR, ("Age", "2147483649")],
    "Age of thousands of digits": [NOW, HOUR, ("Age", "9" * 5000)],
    "Age that is old, then 0, in one line": [NOW, HOUR, ("Age", "7200, 0")],
    "Age that is old, then 0, in two lines": [NOW, HOUR, ("Age", "7200"), ("Age", "0")],
    "Age with a parameter": [NOW, HOUR, ("Age", "7200;foo=bar")],
    "Date longer ago than max-age": [("Date", -7200), HOUR],
    "Expires past": [("Expires", -30 * 86400), NOW],
    "Expires now": [("Expires", 0), NOW],
    "Expires before Date": [("Expires", 300), ("Date", 400)],
    "Expires of 0": [("Expires", "0"), NOW],
    "Expires of -1": [("Expires", "-1"), NOW],
    "Expires empty": [("Expires", ""), NOW],
    "Expires - Date, and an Age beyond, slow clock": [("Date", -10), ("Expires", 10), ("Age", "25")],
    "Expires - Date, and an Age beyond, fast clock": [("Date", 10), ("Expires", 20), ("Age", "15")],
    "Expires in UTC": [("Expires", "Thu, 18 Aug 2050 02:01:18 UTC"), NOW],
    "Expires in AEST": [("Expires", "Thu, 18 Aug 2050 02:01:18 AEST"), NOW],
    "Expires with a year of two digits": [("Expires", "Thu, 18 Aug 50 02:01:18 GMT"), NOW],
    "Expires without a comma": [("Expires", "Thu 18 Aug 2050 02:01:18 GMT"), NOW],
    "Expires with two spaces": [("Expires", "Thu, 18  Aug  2050 02:01:18 GMT"), NOW],
    "Expires with dashes": [("Expires", "Thu, 18-Aug-2050 02:01:18 GMT"), NOW],
    "Expires with points": [("Expires", "Thu, 18 Aug 2050 02.01.18 GMT"), NOW],
    "Expires with an hour of one digit": [("Expires", "Thu, 18 Aug 2050 2:01:18 GMT"), NOW],
    "Expires on a day that isn't": [("Expires", "Thu, 31 Feb 2050 02:01:18 GMT"), NOW],
    "two Expires": [("Expires", 3600), ("Expires", 7200), NOW],
    "private": [("Cache-Control", "private, max-age=3600")],
    "private for a field": [("Cache-Control", 'private="a", max-age=3600')],
    "no-store": [("Cache-Control", "no-store")],
    "no-store in any case": [("Cache-Control", "No-StOrE")],
    "no-store with freshness": [("Cache-Control", "max-age=10000, no-store"), ("Expires", 10000), NOW],
    "no-store behind an open quote": [("Cache-Control", 'foo="bar, no-store')],
    "no-store in a second line": [HOUR, ("Cache-Control", "no-store")],
    "no-cache": [("Cache-Control", "max-age=10000, no-cache"), ("Expires", 10000), NOW],
    "no-cache in any case": [("Cache-Control", "max-age=10000, No-CaChE")],
    "no-cache for fields": [("Cache-Control", 'no-cache="a, b", max-age=3600'), ("a", "1"), ("b", "2")],
    "must-understand": [("Cache-Control", "max-age=3600, no-store, must-understand")],
    "Set-Cookie": [HOUR, ("Set-Cookie", "a=c")],
    "Vary of *": [HOUR, ("Vary", "*")],
    "Vary of * twice": [HOUR, ("Vary", "*, *")],
    "Vary of * in two lines": [HOUR, ("Vary", "*"), ("Vary", "*")],
    "Vary of nothing and *": [HOUR, ("Vary", ", *")],
    "Vary of nothing and * in two lines": [HOUR, ("Vary", ""), ("Vary", "*")],
    "Vary of * and a field": [HOUR, ("Vary", "*, Foo")],
    "Vary of a field and *": [HOUR, ("Vary", "Foo, *")],
    "Vary of a field that no key has": [HOUR, ("Vary", "Foo")],
}


@pytest.mark.parametrize("fields", KEPT.values(), ids=KEPT)
def test_an_answer_that_says_so_is_given_again(api, origin, fields):
    assert kept(api, origin, *fields)


@pytest.mark.parametrize("fields", NOT_KEPT.values(), ids=NOT_KEPT)
def test_an_answer_that_says_otherwise_is_not(api, origin, fields):
    assert not kept(api, origin, *fields)


@pytest.mark.parametrize("status", [200, 203, 301, 308, 404, 410])
def test_these_statuses_are_kept_as_long_as_they_say(api, origin, status):
    assert kept(api, origin, HOUR, status=status)


@pytest.mark.parametrize("status", [200, 203, 301, 308, 404, 410])
def test_and_no_longer(api, origin, status):
    assert not kept(api, origin, ("Expires", -5000), ("Last-Modified", -100_000), NOW, status=status)


@pytest.mark.parametrize("status", [201, 202, 204, 299, 302, 303, 307, 400, 403, 405, 499, 500, 502, 503, 504, 599])
def test_no_other_status_is_kept_whatever_it_says(api, origin, status):
    assert not kept(api, origin, HOUR, status=status)
    origin.fields = [("Last-Modified", -86_400), NOW]
    assert not is_copy(api.get(PATH))


def test_what_is_not_to_be_kept_does_not_replace_what_is(api, origin):
    assert kept(api, origin, HOUR, ("a", "1"))
    origin.fields = [("Cache-Control", "no-store"), ("a", "2")]
    assert api.get(PATH).headers["a"] == "1"


def once_expired(api):
    """The first answer after the copy has ended as a fresh one."""

    def look():
        answer = api.get(PATH)
        return None if answer.status_code == 200 and is_copy(answer) else answer

    return eventually(look)


@pytest.mark.parametrize(
    "control", ["max-age=1, must-revalidate", "max-age=1, proxy-revalidate", "max-age=3600, s-maxage=1"]
)
def test_what_must_be_made_anew_is_never_given_stale(serve, memory, control):
    """Neither while a new one is made, nor when that fails: the failure itself is the answer."""
    origin = Origin(stale="1h", stale_if_error="1h")
    api = serve(origin.app, memory)
    assert kept(api, origin, ("Cache-Control", control))
    origin.raises = RuntimeError("broken")
    assert once_expired(api).status_code == 500


def test_an_answers_own_stale_times_shorten_the_routes(serve, memory):
    origin = Origin(stale="1h")
    api = serve(origin.app, memory)
    short = "max-age=1, stale-while-revalidate=0, stale-if-error=0"
    assert kept(api, origin, ("Cache-Control", short))
    origin.status = 503
    assert once_expired(api).status_code == 503
