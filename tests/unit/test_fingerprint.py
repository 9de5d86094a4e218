"""The fingerprint of a payload: the same for the same payload, however it comes; another one for any other."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.idempotency.fingerprint import Fingerprint

FORM = "multipart/form-data; boundary={}"
boundaries = st.text("abcXYZ019'()+_,-./:=?", min_size=1, max_size=70)
# What looks like delimiters and isn't, and what makes them begin at the ends of pieces.
contents = st.binary(max_size=60) | st.text("\r\n-abX0 ", max_size=40).map(str.encode)
parts = st.lists(contents, max_size=4)


def fingerprint(*pieces: bytes, content_type: str = "application/json", path: str = "/", query: bytes = b"") -> str:
    scope = {"path": path, "query_string": query, "headers": [(b"content-type", content_type.encode())]}
    made = Fingerprint(scope)
    for piece in pieces:
        made.update(piece)
    return made.hexdigest()


def form(boundary: str, contents: list[bytes]) -> bytes:
    delimiter = b"--" + boundary.encode()
    ended = b"".join(delimiter + b"\r\ncontent-disposition: form-data\r\n\r\n" + c + b"\r\n" for c in contents)
    return ended + delimiter + b"--\r\n"


def cut(body: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(body[at : at + size])
        at += size
    return [*pieces, body[at:]]


def holds(boundary: str, contents: list[bytes]) -> bool:
    return any(b"--" + boundary.encode() in content + b"\r\n" for content in contents)


def test_a_plain_body_is_hashed_byte_for_byte_with_what_names_it():
    expected = hashlib.sha256(b'{"a":1}\x00/orders\x00dry=1\x00application/json').hexdigest()[:32]
    assert fingerprint(b'{"a":', b"1}", path="/orders", query=b"dry=1") == expected


def test_json_that_means_the_same_is_another_payload():
    assert fingerprint(b'{"a":1}') != fingerprint(b'{"a": 1}')


@given(body=st.binary(max_size=200), sizes=st.lists(st.integers(0, 30), max_size=10))
def test_how_a_plain_body_is_cut_makes_no_difference(body, sizes):
    assert fingerprint(*cut(body, sizes)) == fingerprint(body)


@given(contents=parts, one=boundaries, other=boundaries, sizes=st.lists(st.integers(0, 12), max_size=40))
@example(contents=[b"\r\n-", b"--"], one="a", other="-", sizes=[1] * 40)
@example(contents=[b"\r\n--ab"], one="abc", other="b" * 70, sizes=[3] * 40)
def test_a_new_boundary_and_other_cuts_make_no_difference(contents, one, other, sizes):
    if holds(one, contents) or holds(other, contents):
        return  # no client draws a boundary that its content holds
    first = fingerprint(form(one, contents), content_type=FORM.format(f'"{one}"'))
    again = fingerprint(*cut(form(other, contents), sizes), content_type=FORM.format(f'"{other}"'))
    assert first == again


@given(contents=parts, others=parts, boundary=boundaries)
@example(contents=[b"a", b"b"], others=[b"ab"], boundary="x")
@example(contents=[b"a\r\nb"], others=[b"a", b"b"], boundary="x")
def test_other_contents_make_a_difference(contents, others, boundary):
    if contents == others or holds(boundary, contents) or holds(boundary, others):
        return
    sent = [fingerprint(form(boundary, c), content_type=FORM.format(f'"{boundary}"')) for c in (contents, others)]
    assert sent[0] != sent[1]


def test_content_can_not_pass_for_a_delimiter():
    """One part that holds another request's delimiter is not that request's two parts."""
    two = fingerprint(form("x", [b"a", b"b"]), content_type=FORM.format("x"))
    inside = form("x", [b"a", b"b"]).removeprefix(b"--x").removesuffix(b"--x--\r\n")
    one = fingerprint(b"--y" + inside + b"--y--\r\n", content_type=FORM.format("y"))
    assert one != two


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("multipart/form-data; boundary=abc", 'multipart/form-data; boundary="xyz"'),
        ("Multipart/Form-Data; BOUNDARY=abc", 'Multipart/Form-Data; BOUNDARY="x\\yz"'),
        ("multipart/form-data; boundary=abc; charset=utf-8", "multipart/form-data; boundary=xyz; charset=utf-8"),
    ],
)
def test_a_boundary_may_be_written_in_any_form(one, other):
    bodies = [form(boundary, [b"content"]) for boundary in ("abc", "xyz")]
    assert fingerprint(bodies[0], content_type=one) == fingerprint(bodies[1], content_type=other)


def test_the_rest_of_the_content_type_counts():
    body = form("abc", [b"content"])
    types = ["form-data; boundary=abc", "mixed; boundary=abc", "form-data; boundary=abc; charset=utf-8"]
    assert len({fingerprint(body, content_type=f"multipart/{rest}") for rest in types}) == 3


def test_only_a_multipart_type_has_a_boundary():
    sent = [fingerprint(b"--a--a", content_type="text/plain; boundary=a"), fingerprint(b"--a--a")]
    assert sent[0] != sent[1]
    assert fingerprint(b"body", content_type="multipart/form-data") != fingerprint(
        b"Body", content_type="multipart/form-data"
    )


MARK = b"\0tidegate-delimiter"


@given(sizes=st.lists(st.integers(0, 25), max_size=60))
@example(sizes=[18, 1, 1, 1])
def test_content_that_looks_like_the_digests_own_mark_passes_for_nothing(sizes):
    looks = [MARK, MARK + b"0", MARK + b"1", MARK[:-1], MARK * 2, MARK + b"\r\n--", b"\0" + MARK]
    bodies = [form("x", [look]) for look in looks] + [form("x", [b"", b""]), form("x", [])]
    kind = FORM.format("x")
    prints = [fingerprint(body, content_type=kind) for body in bodies]
    assert len(set(prints)) == len(bodies)
    assert [fingerprint(*cut(body, sizes), content_type=kind) for body in bodies] == prints


@pytest.mark.parametrize("boundary", ["", "b" * 71, "a\tb"])
def test_what_is_no_boundary_is_hashed_as_it_stands(boundary):
    drawn = [fingerprint(form(b, [b"content"]), content_type=FORM.format(f'"{b}"')) for b in ("x", boundary)]
    assert drawn[0] != drawn[1]


class Counted(bytes):
    """Counts how often it is searched; each search goes once through all of it."""

    searches = 0

    def __radd__(self, before):
        return Counted(before + bytes(self))

    def replace(self, *args):
        type(self).searches += 1
        return Counted(super().replace(*args))

    def rfind(self, *args):
        type(self).searches += 1
        return super().rfind(*args)

    def __getitem__(self, key):
        return Counted(super().__getitem__(key))


@pytest.mark.parametrize("parts", [1, 1000, 10_000])
def test_a_body_of_delimiters_is_searched_as_often_as_any_other(parts):
    Counted.searches = 0
    made = Fingerprint({"path": "/", "headers": [(b"content-type", FORM.format("x").encode())]})
    made.update(Counted(b"\r\n--x" * parts))
    made.hexdigest()
    assert Counted.searches <= 8
