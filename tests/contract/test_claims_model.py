"""Claims under arbitrary orders of attempts, renewals, recovery points, completions, releases and times: each store
is the model.
"""

import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.model import ClaimsModel
from tidegate.messages import ClaimRequest

# Three attempts with one payload and one with another.
ATTEMPTS = {"a": "print", "b": "print", "c": "print", "d": "other"}

steps = st.tuples(
    st.sampled_from(["claim", "claim", "ask", "renew", "point", "complete", "release"]),
    st.sampled_from(["one", "two"]),
    st.sampled_from(list(ATTEMPTS)),
    st.sampled_from([1000, 30_000]),
    st.sampled_from([0, 0, 0, 1, 999, 1000, 30_000]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, min_size=4, max_size=20))
def test_every_answer_is_the_models(clocked, history):
    model, run = ClaimsModel(lost_claims_count=clocked.place.in_redis), uuid.uuid4().hex
    for verb, key, attempt, hold_ms, gap_ms in history:
        clocked.advance_us(gap_ms * 1000)
        request = ClaimRequest(f"{run}-{key}", ATTEMPTS[attempt], attempt, hold_ms, lifetime_ms=86_400_000)
        now_ms = clocked.clock.wall_us() // 1000
        if verb in {"claim", "ask"}:
            request = request._replace(holds_unknown=verb == "ask")
            assert clocked.claims.claim(request) == model.claim(request, now_ms)
        elif verb in {"renew", "point"}:
            points = f"{attempt} {len(history)}".encode() if verb == "point" else b""
            assert clocked.claims.renew(request, points) == model.renew(request, points, now_ms)
        elif verb == "complete":
            assert clocked.claims.complete(request, attempt.encode()) == model.complete(request, attempt.encode())
        else:
            assert clocked.claims.release(request) == model.release(request)
