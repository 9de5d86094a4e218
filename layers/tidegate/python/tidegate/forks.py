"""A forked process begins anew: it has its parent's memory and locks, but none of its threads.

A server may load the application and then fork its workers (`gunicorn --preload`). If the application was used before
the fork, its connections, threads, locks, names and random numbers are the parent's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet


class Forgetful(Protocol):
    """An object whose state must not be shared with a parent process."""

    def forget(self) -> None:
        """Drop the parent's state without closing it, since the parent uses it."""


_watched: WeakSet[Forgetful] = WeakSet()


def forget_in_children(owner: Forgetful) -> None:
    """Call an object's `forget` at the beginning of every child process, as long as the object lives."""
    _watched.add(owner)


def call_in_children(call: Callable[[], object]) -> None:
    """Call a function at the beginning of every child process."""
    if hasattr(os, "register_at_fork"):  # Windows has no forks
        os.register_at_fork(after_in_child=call)


def _forget_all() -> None:
    for owner in list(_watched):
        owner.forget()


call_in_children(_forget_all)
