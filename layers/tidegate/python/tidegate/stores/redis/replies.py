"""The form of the scripts' replies: a reply of another form belongs to another command, and isn't used.

A reply that contains one caller's stored response ends with the token of the request that asked. So another question's
reply can't pass for it, even if it is well formed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

Fits = Callable[[Any, Sequence[Any]], bool]

# One limit's: allowed, remaining, retry after, wait, then the debt or the counts.
STATE_FIELDS = 5
CLAIM_FIELDS = 2
COPY_FIELDS = 9
# The kinds of limits whose state is a debt.
_DEBTS = frozenset("bd")
_CLAIM_STATES = frozenset(
    {
        b"granted",
        b"taken-over",
        b"completed",
        b"mismatch",
        b"in-progress",
        b"outcome-unknown",
        b"unknown",
        b"unreadable",
    }
)
_COPY_STATES = frozenset({b"hit", b"stale", b"lease", b"busy", b"pass"})


def is_number(reply: Any, arguments: Sequence[Any]) -> bool:
    """Return whether a reply is one number, as most scripts reply."""
    del arguments
    return type(reply) is int


@cache
def numbers(count: int, *, text: bool = False) -> Fits:
    """Return a check for a list of so many numbers, followed by a text if `text`."""
    usual = [int] * count + [bytes] * text

    def fits(reply: Any, arguments: Sequence[Any]) -> bool:
        del arguments
        return type(reply) is list and [*map(type, reply)] == usual

    return fits


@cache
def admission(kinds: str, token_at: int | None, *, claim: bool, copy: bool) -> Fits:
    """Return a check for a reply of `admit.lua`.

    Args:
        kinds: the limits' letters, in order.
        token_at: the index of the asking request's token among the arguments; None if the reply has none.
        claim: whether the question wanted a claim.
        copy: whether the question wanted a copy.
    """
    decided = 1 + STATE_FIELDS * len(kinds)
    usual = [int, *(kind for letter in kinds for kind in (int, int, int, int, int if letter in _DEBTS else bytes))]
    claimed = decided + (CLAIM_FIELDS if claim else 0)
    end = 0 if token_at is None else 1

    def fits(reply: Any, arguments: Sequence[Any]) -> bool:
        if token_at is None and type(reply) is list and [*map(type, reply)] == usual:
            return True  # most replies, at a fraction of the cost
        if type(reply) is not list or len(reply) < claimed + end:
            return False
        of_copy = len(reply) - claimed - end
        if of_copy not in ((0, COPY_FIELDS) if claim else (COPY_FIELDS if copy and reply[0] == 1 else 0,)):
            return False
        if token_at is not None and reply[-1] != str(arguments[token_at]).encode():
            return False
        return (
            _are_states(reply, decided)
            and (not claim or _is_claim(reply[decided], reply[decided + 1]))
            and (not of_copy or _is_copy(reply[claimed:-1]))
        )

    return fits


def _are_states(reply: list[Any], end: int) -> bool:
    """Return whether every field is a number, except that the last of five may be the counts' text."""
    for i in range(end):
        kind = type(reply[i])
        if kind is not int and not (kind is bytes and i and i % STATE_FIELDS == 0):
            return False
    return True


def _is_claim(state: Any, payload: Any) -> bool:
    return type(state) is bytes and state in _CLAIM_STATES and type(payload) is bytes


def _is_copy(fields: list[Any]) -> bool:
    state, record, tags, *counts, lease = fields
    texts = type(state) is type(record) is type(tags) is type(lease) is bytes
    return texts and state in _COPY_STATES and all(type(number) is int for number in counts)
