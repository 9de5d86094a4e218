"""Whom a copy is given to, and with which fields: RFC 9111, 3.1, 4, 4.1, 4.3.2 and 5.1; cache-tests' cases."""

import pytest

from tests.harness.cache_status import told
from tests.harness.waiting import eventually
from tests.http.origin import PATH, Origin, is_copy, kept

HOUR = ("Cache-Control", "max-age=3600")
VARYING = ("Vary", "Foo, Bar, Baz")
LONG_AGO = "Wed, 01 Jan 2020 00:00:00 GMT"


@pytest.fixture
def origin():
    return Origin(vary=("foo", "bar", "baz"))


@pytest.fixture
def api(serve, stores, origin):
    return serve(origin.app, stores.settings())


def asked(api, *fields, path=PATH, method="GET"):
    """Ask with these fields, several lines of one name among them."""
    return api.request(method, path, lines=fields)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ([("Foo", "1")], [("Foo", "1")], True),
        ([("Foo", "1"), ("Other", "2")], [("Foo", "1"), ("Other", "3")], True),
        ([("Foo", "1"), ("Bar", "abc")], [("Bar", "abc"), ("Foo", "1")], True),
        ([("Foo", "1"), ("Baz", "789")], [("Foo", "1"), ("Baz", "789")], True),
        ([("Foo", "1, 2")], [("Foo", "1"), ("Foo", "2")], True),
        ([("Foo", "1")], [("Foo", "2")], False),
        ([], [("Foo", "1")], False),
        ([("Foo", "1")], [], False),
        ([("Foo", "")], [], False),
        ([("Foo", "1")], [("Foo", "1"), ("Foo", "2")], False),
        ([("Foo", "1"), ("Foo", "2")], [("Foo", "1"), ("Foo", "3")], False),
        ([("Foo", "1"), ("Bar", "abc")], [("Foo", "2"), ("Bar", "abc")], False),
        ([("Foo", "1"), ("Bar", "abc")], [], False),
        ([("Foo", "1"), ("Bar", "abc"), ("Baz", "7")], [("Foo", "1"), ("Baz", "7"), ("Bar", "abcde")], False),
        ([("Foo", "a"), ("Bar", "")], [("Foo", ""), ("Bar", "a")], False),
    ],
)
def test_a_copy_is_for_who_asks_alike(api, origin, first, second, same):
    origin.fields = [HOUR, VARYING]
    asked(api, *first)
    assert is_copy(asked(api, *second)) == same
    assert is_copy(asked(api, *first)), "the other's is beside it"


@pytest.mark.parametrize("query", ["test=1", "", "test", "test=", "test=%ff", "test=%FE", "test=a+b", "test=a%2Bb"])
def test_another_query_is_another_target(api, origin, query):
    for other in ("test=2", "test=%fd", "test=a%20b"):
        asked(api, path=f"{PATH}?{other}")
    assert not is_copy(asked(api, path=f"{PATH}?{query}"))
    assert is_copy(asked(api, path=f"{PATH}?{query}"))


def test_what_needs_no_encoding_may_be_encoded(api):
    asked(api, path="/things/a%7eb?n%61me=%7e&x=%c3%a9")
    assert is_copy(asked(api, path="/things/a~b?x=%C3%A9&name=~"))


@pytest.mark.parametrize("credential", [("Authorization", "FOO"), ("Cookie", "a=b"), ("X-Session", "0123456789abcdef")])
def test_what_was_made_under_a_credential_is_for_nobody_else(api, origin, credential):
    origin.fields = [("Cache-Control", "max-age=100000, public, s-maxage=100000, must-revalidate")]
    asked(api, credential)
    assert not is_copy(asked(api))
    assert not is_copy(asked(api, (credential[0], "another-0123456789")))
    assert is_copy(asked(api, credential))


@pytest.mark.parametrize(
    "name",
    [
        "Test-Header",
        "X-Test-Header",
        "Content-Foo",
        "X-Content-Foo",
        "Content-Encoding",
        "Content-Location",
        "Content-MD5",
        "Content-Range",
        "Content-Security-Policy",
        "Clear-Site-Data",
        "Public-Key-Pins",
        "Set-Cookie2",
        "X-Frame-Options",
        "X-XSS-Protection",
    ],
)
def test_a_copy_has_its_answers_fields(api, origin, name):
    origin.fields = [("Date", 0), HOUR, (name, "some value")]
    first, second = asked(api), asked(api)
    assert is_copy(second)
    assert second.headers[name] == "some value"
    assert second.headers["date"] == first.headers["date"], "of the answer, and not of the copy"
    assert second.headers["cache-control"] == "max-age=3600"


@pytest.mark.parametrize(
    "name",
    [
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authentication-Info",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
    ],
)
def test_a_copy_has_nothing_of_a_connection(api, origin, name):
    origin.fields = [HOUR, (name, "value")]
    asked(api)
    again = asked(api)
    assert is_copy(again)
    assert name not in again.headers


def test_nor_what_connection_names(api, origin):
    origin.fields = [HOUR, ("Connection", "a, B"), ("Connection", "d"), ("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]
    asked(api)
    again = asked(api)
    assert again.headers["c"] == "3"
    assert not {"a", "b", "d", "connection"}.intersection(again.headers)


@pytest.mark.parametrize("freshness", [HOUR, ("Expires", 30 * 86_400)])
def test_the_age_goes_on_from_what_the_answer_had(api, origin, freshness):
    origin.fields = [freshness, ("Date", 0), ("Age", "30")]
    first = asked(api)
    assert first.headers.get_list("age") == ["30"]
    later = eventually(lambda: _older_than(30, asked(api)))
    assert is_copy(later)
    assert later.headers.get_list("age") == [str(int(later.headers["age"]))]


def test_the_age_of_an_older_date_counts(api, origin):
    origin.fields = [("Cache-Control", "max-age=3600"), ("Date", -600)]
    asked(api)
    assert 600 <= int(asked(api).headers["age"]) < 660
    assert told(asked(api))["ttl"] <= 3000


def _older_than(age, answer):
    return answer if int(answer.headers["age"]) > age else None


@pytest.mark.parametrize(
    ("fields", "conditions", "status"),
    [
        ([("ETag", '"abcdef"')], [("If-None-Match", '"abcdef"')], 304),
        ([("ETag", 'W/"abcdef"')], [("If-None-Match", 'W/"abcdef"')], 304),
        ([("ETag", 'W/"abcdef"')], [("If-None-Match", '"abcdef"')], 304),
        ([("ETag", '"abcdef\xfc"')], [("If-None-Match", '"abcdef\xfc"')], 304),
        ([("ETag", '"abcdef"')], [("If-None-Match", '"abcdef", "1234", "5678"')], 304),
        ([("ETag", '"abcdef"')], [("If-None-Match", '"1234", "abcdef", "5678"')], 304),
        ([("ETag", '"abcdef"')], [("If-None-Match", '"1234", "5678", "abcdef"')], 304),
        ([("ETag", '"abcdef"')], [("If-None-Match", '"1234"'), ("If-None-Match", '"abcdef"')], 304),
        ([("ETag", '"abcdef"')], [("If-None-Match", "*")], 304),
        ([("ETag", '"abcdef"')], [("If-None-Match", "abcdef")], 200),
        ([("ETag", '"abcdef"')], [("If-None-Match", '"1234", *')], 200),
        ([("Last-Modified", LONG_AGO)], [("If-Modified-Since", LONG_AGO)], 304),
        ([("Last-Modified", LONG_AGO)], [("If-Modified-Since", "Thu, 02 Jan 2020 00:00:00 GMT")], 304),
        ([("Last-Modified", LONG_AGO)], [("If-Modified-Since", "Thursday, 02-Jan-20 00:00:00 GMT")], 304),
        ([("Last-Modified", LONG_AGO)], [("If-Modified-Since", "Tue, 31 Dec 2019 23:59:59 GMT")], 200),
        ([("Last-Modified", LONG_AGO)], [("If-Modified-Since", "yesterday")], 200),
        ([], [("If-Modified-Since", "Thu, 02 Jan 2020 00:00:00 GMT")], 200),
        (
            [("Last-Modified", LONG_AGO), ("ETag", '"abcdef"')],
            [("If-None-Match", '"abcdef"'), ("If-Modified-Since", "Tue, 31 Dec 2019 23:59:59 GMT")],
            304,
        ),
        (
            [("Last-Modified", LONG_AGO), ("ETag", '"abcdef"')],
            [("If-None-Match", '"1234"'), ("If-Modified-Since", LONG_AGO)],
            200,
        ),
        ([("ETag", '"abcdef"')], [("If-Match", '"abcdef"')], 200),
        ([("ETag", '"abcdef"')], [("If-Match", '"1234"'), ("If-Match", '"abcdef"')], 200),
        ([("ETag", '"abcdef"')], [("If-Match", "*")], 200),
        ([("ETag", '"abcdef"')], [("If-Match", '"1234"')], 412),
        ([("ETag", 'W/"abcdef"')], [("If-Match", 'W/"abcdef"')], 412),
        ([("ETag", '"abcdef"')], [("If-Match", '"1234"'), ("If-None-Match", '"abcdef"')], 412),
        ([("Last-Modified", LONG_AGO)], [("If-Unmodified-Since", "Tue, 31 Dec 2019 23:59:59 GMT")], 412),
        ([("Last-Modified", LONG_AGO)], [("If-Unmodified-Since", LONG_AGO)], 200),
        ([], [("If-Unmodified-Since", LONG_AGO)], 200),
        ([("ETag", '"abcdef"')], [("If-Range", '"1234"')], 200),
    ],
)
@pytest.mark.parametrize("of", ["a copy", "a new answer"])
def test_a_clients_conditions_are_judged_on_the_whole_answer(api, origin, fields, conditions, status, of):
    """Whoever makes it: its handler sees none of them, and what is kept is whole."""
    origin.fields = [HOUR, *fields]
    if of == "a copy":
        asked(api)
    answer = asked(api, *conditions)
    assert answer.status_code == status
    assert not {name for request in origin.requests for name in request["headers"] if name.startswith("if-")}
    assert is_copy(asked(api))
    assert asked(api).content == b"answer 1"
    assert origin.calls == 1


def test_a_304_says_what_its_answer_says(api, origin):
    origin.fields = [HOUR, ("ETag", '"a"'), ("Date", 0), ("Expires", 60), ("Content-Location", "/b"), ("X-Other", "1")]
    whole = asked(api)
    none = asked(api, ("If-None-Match", '"a"'))
    for name in ("cache-control", "etag", "date", "expires", "content-location", "vary"):
        assert none.headers[name] == whole.headers[name]
    assert none.content == b""
    assert "x-other" not in none.headers
    assert int(none.headers["age"]) >= 0
    assert is_copy(none)


@pytest.mark.parametrize("status", [404, 410, 301])
def test_a_condition_says_nothing_of_what_is_not_there(serve, memory, status):
    origin = Origin(not_found="1h")
    api = serve(origin.app, memory)
    assert kept(api, origin, ("ETag", '"a"'), status=status)
    for condition in (("If-None-Match", "*"), ("If-Match", '"b"'), ("If-Modified-Since", LONG_AGO)):
        assert asked(api, condition).status_code == status


def test_a_head_has_its_gets_fields_and_its_copy(api, origin):
    head = asked(api, method="HEAD")
    whole = asked(api)
    again = asked(api, method="HEAD")
    assert (is_copy(head), is_copy(whole), is_copy(again)) == (False, True, True)
    assert head.headers["etag"] == whole.headers["etag"] == again.headers["etag"]
    assert head.headers["content-length"] == str(len(whole.content)) == again.headers["content-length"]
    assert (head.content, again.content) == (b"", b"")
    assert [request["method"] for request in origin.requests] == ["GET"]
    assert asked(api, ("If-None-Match", whole.headers["etag"]), method="HEAD").status_code == 304


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
@pytest.mark.parametrize("status", [200, 201, 204, 303])
def test_a_change_voids_what_it_changed(api, origin, method, status):
    for path in (PATH, f"{PATH}?page=2", "/things/b"):
        asked(api, path=path)
    origin.status, origin.body = status, b""
    assert asked(api, method=method).status_code == status
    origin.status, origin.body = 200, None
    assert [is_copy(asked(api, path=path)) for path in (PATH, f"{PATH}?page=2", "/things/b")] == [False, False, True]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "M-SEARCH"])
@pytest.mark.parametrize("status", [400, 404, 500])
def test_one_that_failed_voids_nothing(api, origin, method, status):
    asked(api)
    origin.status = status
    asked(api, method=method)
    assert is_copy(asked(api))


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
@pytest.mark.parametrize(
    ("reference", "void"),
    [
        ("/things/b", True),
        ("things/b", True),
        ("https://API.test:443/things/b?x=1#y", True),
        ("//api.test/things/%62", True),
        ("https://other.test/things/b", False),
        ("http://api.test/things/b", False),
        ("https://[/things/b", False),
        ("/things/c", False),
    ],
)
def test_a_change_voids_what_it_says_it_has_made(api, origin, name, reference, void):
    asked(api, path="/things/b")
    origin.fields, origin.status, origin.body = [(name, reference)], 201, b""
    asked(api, path="/elsewhere", method="POST")
    assert is_copy(asked(api, path="/things/b")) != void
