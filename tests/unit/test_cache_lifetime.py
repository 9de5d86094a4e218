"""What an answer says of its freshness, read from anything that an application may send."""

import time
from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.cache.dates import parse_date
from tidegate.cache.directives import LONGEST_S, Directives
from tidegate.cache.lifetime import lifetime, own_age_s
from tidegate.cache_messages import Windows

ROUTE = Windows(3_600_000, 60_000, 120_000)
FIELDS = ["cache-control", "Cache-Control", "expires", "date", "age", "vary"]
SAID = [
    "max-age",
    "s-maxage",
    "no-store",
    "private",
    "=",
    ",",
    '"',
    "\\",
    "1",
    "9" * 30,
    "²",
    "-",
    " ",
    ";",
    "GMT",
    "\xff",
]
headers = st.lists(
    st.tuples(
        st.sampled_from(FIELDS).map(str.encode),
        st.one_of(
            st.binary(max_size=60), st.lists(st.sampled_from(SAID)).map(lambda said: "".join(said).encode("latin-1"))
        ),
    ),
    max_size=5,
).map(tuple)


@given(headers, st.floats(0, 4e9), st.booleans())
@example(((b"cache-control", b"max-age=" + b"9" * 5000),), 0, True)
def test_whatever_it_says_it_shortens_the_routes_times(fields, now_s, private):
    said = lifetime(fields, now_s, private=private)
    left = said.within(ROUTE)
    assert left.fresh_ms <= ROUTE.fresh_ms
    assert (left.stale_ms, left.error_ms) <= (ROUTE.stale_ms, ROUTE.error_ms)
    assert said.age_ms >= 0
    assert 0 <= own_age_s(fields) <= LONGEST_S


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=4), st.data())
def test_of_several_times_the_shortest_counts(times, data):
    parts = [f"max-age={time}" for time in times]
    cut = data.draw(st.integers(0, len(parts)))
    lines = [", ".join(part) for part in (parts[:cut], parts[cut:]) if part]
    said = Directives(tuple((b"cache-control", line.encode()) for line in lines))
    assert said.seconds("max-age") == min(LONGEST_S, *times)


@given(st.text(st.characters(codec="latin-1"), max_size=30))
def test_what_is_quoted_is_no_directive(text):
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    said = Directives(((b"cache-control", f'a="{quoted}, no-store", max-age=5'.encode("latin-1")),))
    assert "no-store" not in said
    assert said.seconds("max-age") == 5


@given(st.integers(0, 253_402_300_799))
def test_a_date_is_read_as_it_was_written(seconds):
    assert parse_date(formatdate(seconds, usegmt=True)) == seconds


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"])
def test_a_date_has_three_forms(form):
    assert parse_date(time.strftime(form, time.gmtime(1_700_000_000))) == 1_700_000_000


@given(st.text(max_size=40))
def test_what_is_no_date_is_none(text):
    assert parse_date(text) is None
