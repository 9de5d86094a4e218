"""Where a command belongs, as the servers themselves compute it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from tidegate.redis_driver.hash_slots import SLOTS, Place, SlotMap, redirection, slot_of, slot_of_key

KEYS = {  # computed by a server's CLUSTER KEYSLOT
    b"foo": 12182,
    b"{user1000}.following": slot_of_key(b"user1000"),
    b"foo{}{bar}": key_slot(b"foo{}{bar}"),
    b"foo{{bar}}zap": slot_of_key(b"{bar"),
    b"foo{bar}{zap}": slot_of_key(b"bar"),
    b"123456789": 0x31C3,
}


@pytest.mark.parametrize(("key", "slot"), KEYS.items())
def test_the_specifications_examples(key, slot):
    assert slot_of_key(key) == slot


@given(st.binary(max_size=30) | st.text("{}ab", max_size=8).map(str.encode))
def test_every_keys_slot_is_the_peers(key):
    assert slot_of_key(key) == key_slot(key)


COMMANDS = {
    ("EVALSHA", "digest", 2, "{foo}:a", "{foo}:b", "argument"): 12182,
    ("EVAL", "return 1", 1, "foo"): 12182,
    ("eval", "return 1", 0, "foo"): None,
    ("SET", "foo", "bar", "PX", 1000): 12182,
    ("GET", b"foo"): 12182,
    ("PING",): None,
    ("SCRIPT", "LOAD", "foo"): None,
    ("CLUSTER", "SLOTS"): None,
}


@pytest.mark.parametrize(("command", "slot"), COMMANDS.items(), ids=map(str, COMMANDS))
def test_a_commands_slot_is_its_first_keys(command, slot):
    assert slot_of(command) == slot


REPLY = [
    [0, 8191, [b"10.0.0.1", 6379, b"id-a", []], [b"10.0.0.3", 6379, b"id-c"]],
    [8192, 16382, [b"", 7000, b"id-b"], [None, 7001, b"id-d"], [b"?", 7002, b"id-e"]],
]


def test_a_map_knows_owners_and_replicas_and_what_nobody_serves():
    known = SlotMap(REPLY, "asked.example")
    first, second = Place("10.0.0.1", 6379), Place("asked.example", 7000)
    assert [known.owner(slot) for slot in (0, 8191, 8192, 16382, SLOTS - 1)] == [first, first, second, second, None]
    assert known.owner(None) in {first, second}
    assert list(known.masters) == [first, second]
    assert set(known.replicas) == {Place("10.0.0.3", 6379), *(Place("asked.example", port) for port in (7001, 7002))}


def test_a_map_of_nothing_has_no_owner_even_for_what_goes_anywhere():
    assert SlotMap([], "asked.example").owner(None) is None


REDIRECTIONS = {
    "MOVED 3999 127.0.0.1:6381": Place("127.0.0.1", 6381),
    "ASK 3999 cache.example:6381": Place("cache.example", 6381),
    "MOVED 3999 :6381": Place("asked.example", 6381),
    "MOVED 3999 fd00::1:6381": Place("fd00::1", 6381),
}


@pytest.mark.parametrize(("text", "place"), REDIRECTIONS.items())
def test_a_redirection_names_a_place(text, place):
    assert redirection(text, "asked.example") == place
