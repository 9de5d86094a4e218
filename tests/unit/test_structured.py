"""What we write as structured fields is what `http_sf` writes."""

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.web.structured_fields import listed

texts = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12)
values = st.integers(-(10**15) + 1, 10**15 - 1) | texts | st.booleans()
keys = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,5}", fullmatch=True)
items = st.lists(st.tuples(texts, st.dictionaries(keys, values, max_size=3)), min_size=1, max_size=4)


@given(items)
def test_lists_of_strings_with_parameters(items):
    assert listed(items).decode() == http_sf.ser(items)


@pytest.mark.parametrize("items", [[("a\n", {})], [("\u00fc", {})], [("a", {"n": 10**15})], [("a", {"n": "\x7f"})]])
def test_what_is_rarer_is_written_or_refused_as_there(items):
    try:
        expected = http_sf.ser(items).encode()
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            listed(items)
    else:
        assert listed(items) == expected
