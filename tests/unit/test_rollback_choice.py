"""Where `tidegate rollback` goes: back to what served together, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_local.releases.rollback_choice import RollbackRefusedError, chosen

SERVED = [{"api": "3", "worker": "2"}, {"api": "5", "worker": "4"}, {"api": "6", "worker": "4"}]
THERE = {"api": {"3", "4", "5", "6", "7"}, "worker": {"2", "4"}}
NOW = {"api": "6", "worker": "4"}


@pytest.mark.parametrize(
    ("now", "version", "expected"),
    [
        (NOW, None, SERVED[1]),
        ({"api": "5", "worker": "4"}, None, SERVED[0]),
        (NOW, "3", SERVED[0]),
        (NOW, "6", SERVED[2]),
        (NOW, "03", SERVED[0]),
        # From what never served, or from no alias at all: to the last that did.
        ({"api": "7", "worker": "4"}, None, SERVED[2]),
        ({"api": "$LATEST", "worker": "4"}, None, SERVED[2]),
        ({"api": None, "worker": None}, None, SERVED[2]),
    ],
)
def test_all_that_was_released_together_goes_back_together(now, version, expected):
    assert chosen(SERVED, "api", now, THERE, version) == expected


@pytest.mark.parametrize("version", ["$LATEST", "live", "0", "-1", "1.5", "", " 3", "٣", "3abc", "latest"])
def test_what_is_no_number_is_refused_with_those_that_are(version):
    with pytest.raises(RollbackRefusedError, match=r"no version's number\. These can be put in force: 3, 5, 6\."):
        chosen(SERVED, "api", NOW, THERE, version)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("9", "Version 9 of api isn't there any more. These can be put in force: 3, 5, 6."),
        ("4", "Version 4 of api never was in force. These can be put in force: 3, 5, 6."),
    ],
)
def test_another_version_is_refused_and_named(version, said):
    with pytest.raises(RollbackRefusedError, match=said):
        chosen(SERVED, "api", NOW, THERE, version)


def test_a_set_of_which_a_part_is_gone_is_no_way_back():
    there = THERE | {"worker": {"2"}}
    with pytest.raises(RollbackRefusedError, match=r"served together with version 4 of worker, which isn't there"):
        chosen(SERVED, "api", NOW, there, "5")
    assert chosen(SERVED, "api", NOW, there, None) == SERVED[0]
    with pytest.raises(RollbackRefusedError, match="The function api isn't there"):
        chosen(SERVED, "api", NOW, {"worker": {"2"}}, None)


def test_before_the_first_there_is_nothing():
    with pytest.raises(RollbackRefusedError, match=r"was in force before version 3\. These can be put in force: 3, 5"):
        chosen(SERVED, "api", {"api": "3", "worker": "2"}, THERE, None)
    with pytest.raises(RollbackRefusedError, match="There is no version to go back to"):
        chosen([], "api", NOW, THERE, None)


numbers = st.integers(1, 9).map(str)
sets = st.lists(st.fixed_dictionaries({"api": numbers, "worker": numbers}), max_size=6)


@given(sets, numbers, numbers, st.sets(numbers), st.sets(numbers), st.none() | numbers)
def test_it_is_always_a_set_that_served_and_is_there(served, api, worker, apis, workers, version):
    there = {"api": apis, "worker": workers}
    try:
        to = chosen(served, "api", {"api": api, "worker": worker}, there, version)
    except RollbackRefusedError:
        return
    assert to in served
    assert all(number in there[name] for name, number in to.items())
    assert version in {None, to["api"]}
    assert version or to["api"] != api
