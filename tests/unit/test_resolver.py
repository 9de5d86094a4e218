"""Names are looked up within the time there is, by one thread however many wait."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tidegate.redis_driver import resolver


class SlowResolver:
    """The system's resolver, which knows every name once it is let go on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.goes_on = threading.Event()

    def getaddrinfo(self, host, port, *, type, flags=0):  # noqa: A002  the system's own name for it
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        host = host.decode()
        self.asked.append(host)
        self.goes_on.wait(60)
        if host == "nowhere":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, type, 6, "", ("192.0.2.1", port))]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowResolver]:
    slow = SlowResolver()
    monkeypatch.setattr(resolver.socket, "getaddrinfo", slow.getaddrinfo)
    yield slow
    slow.goes_on.set()


def test_a_number_is_no_name():
    before = threading.active_count()
    [(family, *_, place)] = resolver.lookup("127.0.0.1", 6379, 0)
    assert (family, place) == (socket.AF_INET, ("127.0.0.1", 6379))
    assert threading.active_count() == before


def test_a_name_is_found():
    assert {place[:2] for *_, place in resolver.lookup("localhost", 6379, 60)} & {("127.0.0.1", 6379), ("::1", 6379)}


def test_a_resolver_that_hangs_is_given_up_on_and_asked_once(slow):
    for _ in range(5):
        with pytest.raises(TimeoutError, match="slow"):
            resolver.lookup("slow", 6379, 0.001)
    assert slow.asked == ["slow"]


def test_all_who_wait_are_answered_together_and_the_next_one_asks_anew(slow):
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(resolver.lookup, "cache", 6379, 60) for _ in range(4)]
        slow.goes_on.set()
        assert {answer.result()[0][4] for answer in answers} == {("192.0.2.1", 6379)}
    before = len(slow.asked)
    resolver.lookup("cache", 6379, 60)
    assert len(slow.asked) == before + 1


def test_an_unknown_name_is_an_error(slow):
    slow.goes_on.set()
    with pytest.raises(socket.gaierror):
        resolver.lookup("nowhere", 6379, 60)


def test_a_lookup_that_hangs_is_begun_anew_beside_it_now_and_then(slow, monkeypatch):
    """The system's may wait seconds for an answer that was lost, when there is a name server again long since."""
    now = [0.0]
    monkeypatch.setattr(resolver, "monotonic", lambda: now[0])
    for _ in range(10):
        with pytest.raises(TimeoutError):
            resolver.lookup("lost", 6379, 0.001)
        now[0] += resolver._ASKED_ANEW_AFTER_S
    assert len(slow.asked) <= resolver._MOST_AT_ONCE
    slow.goes_on.set()
    assert resolver.lookup("lost", 6379, 60)


@pytest.mark.parametrize("host", ["a" * 300, "a\0b", "\ud800", "..", "x" * 64 + ".example"])
def test_what_is_no_name_is_an_error_at_once(host):
    for _ in range(2):
        with pytest.raises((OSError, ValueError)):
            resolver.lookup(host, 6379, 60)


FORKS = """
import os, socket, threading
from tidegate.redis_driver import resolver
real, ends = socket.getaddrinfo, threading.Event()
def hangs(host, port, *, type, flags=0):
    if flags: raise socket.gaierror(socket.EAI_NONAME, "no number")
    ends.wait(60)
resolver.socket.getaddrinfo = hangs
try:
    resolver.lookup("localhost", 1, 0.01)
except TimeoutError:
    pass
child = os.fork()
if child == 0:
    resolver.socket.getaddrinfo = real
    os._exit(7 if resolver.lookup("localhost", 1, 60) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
ends.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_fork_waits_for_none_of_its_parents_lookups():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], timeout=60, check=True)
