"""Copies, leases and deletions in arbitrary order and at arbitrary times: Redis answers what the model answers.

Times are whole tens of seconds, windows end between them: a key that expires by the server's own clock does so at the
same step as in the model, whatever a busy machine takes for a step.
"""

import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.cache_model import CacheModel, by
from tidegate.cache_messages import CacheHit, CacheRequest, CacheStale, CacheWrite, Windows
from tidegate.messages import Question, Settlement
from tidegate.stores.redis.cache import void_calls

RUNS_ON = ["redis", "valkey"]

TAGS = ("t1", "t2", "t3")
WINDOWS = [Windows(25_000), Windows(25_000, 30_000, 30_000), Windows(15_000, 20_000, 60_000), Windows(5000, 0, 40_000)]

HOLDER = "whoever holds the lease"

steps = st.tuples(
    st.sampled_from(["ask", "ask", "ask", "store", "store", "release", "pass", "void"]),
    st.sampled_from(["one", "one", "one", "two"]),
    # Mostly whoever holds the lease: a stranger's settlement is refused, and says little.
    st.sampled_from(["a", "b", HOLDER, HOLDER, HOLDER]),
    st.sampled_from([("t1",), ("t1",), ("t2", "t3"), ()]),
    st.sampled_from(WINDOWS),
    st.sampled_from([0.0, 0.0, 2.0]),
    st.sampled_from([0, 0, 0, 1, 2, 6]),
)


def _clean(clocked) -> str:
    """Forget the histories before, whose keys would have to be aged, too; returns this one's name."""
    clocked.clock._client.flushdb()
    clocked.advance_us(0)
    return uuid.uuid4().hex


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, min_size=8, max_size=30))
def test_every_answer_is_the_models(clocked, history):
    model, run = CacheModel(), _clean(clocked)
    for number, (verb, key, token, tags, windows, drawn, tens) in enumerate(history):
        clocked.pass_ms(tens * 10_000)
        clocked.advance_us(1)
        now_us = clocked.clock.wall_us()
        holder = None if verb == "ask" else model.holder(key)
        asker = token if token != HOLDER else holder or "c"
        request = by(CacheRequest(key, run, tags, "", hold_ms=35_000), asker, drawn)
        if verb == "ask":
            assert clocked.store.admit(Question("s", cache=request)).cache == model.ask(request, now_us)
        elif verb == "void":
            clocked.store.evaluate(void_calls([run], tags or TAGS, cluster=False))
            model.void(list(tags or TAGS), now_us)
        else:
            record = f"{asker} {number}".encode() if verb == "store" else None
            pass_ms = 35_000 if verb == "pass" else 0
            write = CacheWrite(request, record, tags, windows, delta_ms=8000, rest_ms=15_000, pass_ms=pass_ms)
            assert clocked.store.settle(Settlement("s", None, None, fenced=False, cache=write)) == model.settle(
                write, now_us
            )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(history=st.lists(steps, min_size=8, max_size=30))
def test_nobody_is_given_what_was_deleted_after_its_making_began(clocked, history):
    """The same by what can be seen from outside: each record says when its making began."""
    run, began_us, deleted_us = _clean(clocked), {}, {}
    for verb, key, token, tags, windows, drawn, tens in history:
        clocked.pass_ms(tens * 10_000)
        clocked.advance_us(1)
        now_us = clocked.clock.wall_us()
        holder = next((who for began, who in reversed(began_us) if began == key), "c")
        asker = token if token != HOLDER else "c" if verb == "ask" else holder
        request = by(CacheRequest(key, run, tags, "", hold_ms=35_000), asker, drawn)
        if verb == "ask":
            found = clocked.store.admit(Question("s", cache=request)).cache
            if isinstance(found, CacheHit | CacheStale):
                born_us = int(found.copy.record)
                assert all(deleted_us.get(tag, 0) < born_us for tag in found.copy.tags)
            elif type(found).__name__ == "CacheLease":
                began_us[key, asker] = now_us
        elif verb == "void":
            clocked.store.evaluate(void_calls([run], tags or TAGS, cluster=False))
            deleted_us |= dict.fromkeys(tags or TAGS, now_us)
        elif (key, asker) in began_us:
            write = CacheWrite(request, b"%d" % began_us.pop((key, asker)), tags, windows)
            clocked.store.settle(Settlement("s", None, None, fenced=False, cache=write))
