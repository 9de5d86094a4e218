"""The fields that tell a client what is left, read as a client reads them: with a structured-fields parser."""

import json
import math

import http_sf
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate import (
    Concurrency,
    ConfigurationError,
    LeakyBucket,
    Policy,
    Quota,
    SlidingWindow,
    SlidingWindowCounter,
    TokenBucket,
)
from tidegate.decision import NEVER, LimitState
from tidegate.identity.caller import Caller
from tidegate.limits import charges
from tidegate.limits.fields import LimitStatus, limit_field, policy_field
from tidegate.limits.limit import Limit
from tidegate.messages import Answer
from tidegate.routing import RoutePolicy
from tidegate.web.asgi import ResponseSender
from tidegate.web.problems import Problem, may_carry_fields, problem_headers, problem_type, retry_after_s

NOW_US = 1_800_000_000_000_000

DAY_S = 86_400

rates = st.builds("{}/{}".format, st.integers(1, 1000), st.sampled_from(["s", "min", "h", "d", "90s", "250ms"]))
token_buckets = st.builds(TokenBucket, rates, st.none() | st.integers(1, 10_000))
policies = st.lists(token_buckets, min_size=1, max_size=4, unique_by=lambda limit: limit.label).map(tuple)


def said(allowed: bool, remaining: int, retry_after_us: int) -> LimitState:
    return LimitState(allowed, remaining, retry_after_us)


@st.composite
def answers(draw: st.DrawFn) -> tuple[Policy, Answer]:
    """Limits and what a store may say of them."""
    chosen = draw(policies)
    states = tuple(
        draw(
            st.builds(said, st.just(value=True), st.integers(0, limit.bucket.burst), st.just(0))
            | st.builds(
                said,
                st.just(value=False),
                st.integers(0, limit.bucket.burst - 1),
                st.integers(1, limit.bucket.depth_us) | st.just(NEVER),
            )
        )
        for limit in chosen
    )
    return Policy(limits=chosen), Answer(all(s.allowed for s in states), states, None, "memory")


def parsed(value: bytes) -> dict[str, dict[str, int]]:
    """Read a list of named items with parameters."""
    return {name: dict(parameters) for name, parameters in http_sf.parse(value, tltype="list")}


def verdict_on(policy: Policy, answer: Answer) -> charges.LimitVerdict:
    asking = charges.ChargeContext(Caller("key:a"), {}, NOW_US)
    charged = charges.charge_set(RoutePolicy("/a", "GET", policy), asking, "test")
    return charges.LimitCharges(charged).read(answer, NOW_US)


def fields_of(limit: Limit, state: LimitState) -> tuple[bytes, bytes]:
    """Return the policy's field and that of what is left."""
    return policy_field((limit,)), limit_field([LimitStatus(limit, limit.rule(NOW_US), state)], None, NOW_US)


def read(policy: Policy, answer: Answer) -> tuple[dict, dict, int | None]:
    """Return what a client understands: the policies, what is left, and Retry-After."""
    verdict = verdict_on(policy, answer)
    fields = dict(verdict.fields)
    retry = dict(verdict.refusal.headers).get(b"retry-after") if verdict.refusal else None
    return parsed(fields[b"ratelimit-policy"]), parsed(fields[b"ratelimit"]), None if retry is None else int(retry)


@given(answers())
def test_both_fields_name_every_limit_with_whole_numbers(asked):
    policy, answer = asked
    policies_field, left, _ = read(policy, answer)
    labels = [limit.label for limit in policy.limits]
    assert list(policies_field) == list(left) == labels
    for label, state in zip(labels, answer.limits, strict=True):
        assert set(policies_field[label]) == {"q", "w"}
        assert policies_field[label]["q"] >= 1
        assert policies_field[label]["w"] >= 1
        assert left[label]["r"] == state.remaining
        assert left[label]["t"] >= 0
        assert all(type(number) is int for number in left[label].values())


@given(answers())
def test_no_window_ends_after_retry_after(asked):
    _, left, retry_after = read(*asked)
    if retry_after is not None:
        assert all(item["t"] <= retry_after for item in left.values())


@given(answers())
def test_a_refusal_says_whole_seconds_never_too_early_or_is_for_good(asked):
    policy, answer = asked
    *_, retry_after = read(policy, answer)
    waits = [state.retry_after_us for state in answer.limits if not state.allowed]
    if not waits or NEVER in waits:
        assert retry_after is None
    else:
        needed = math.ceil(max(waits) / 1_000_000)
        assert min(DAY_S, needed) <= retry_after <= min(DAY_S, math.ceil(needed * 1.1) + 1)


@given(answers())
def test_a_refusal_names_the_limits_that_refuse_or_never_admit_it(asked):
    policy, answer = asked
    refusal = verdict_on(policy, answer).refusal
    assert (refusal is None) == answer.admitted
    if refusal is not None:
        body = json.loads(refusal.body())
        refusing = {
            p.label: s.retry_after_us for p, s in zip(policy.limits, answer.limits, strict=True) if not s.allowed
        }
        never = [label for label, wait_us in refusing.items() if wait_us == NEVER]
        assert body["status"] == refusal.status == (422 if never else 429)
        assert body["type"].endswith(":cost-exceeds-limit" if never else "#quota-exceeded")
        assert body["violated-policies"] == (never or list(refusing))


def test_the_policy_field_is_the_same_in_every_answer():
    policy = Policy(limits=[TokenBucket("10/s", burst=20)])
    admitted = Answer(True, (LimitState(True, 5, 0, 0),), None, "redis")
    refused = Answer(False, (LimitState(False, 0, 100_000, 0),), None, "redis")
    assert read(policy, admitted)[0] == read(policy, refused)[0] == {"10/s": {"q": 20, "w": 2}}


def test_the_fields_of_the_documented_example():
    policy, left = fields_of(TokenBucket("20/s", burst=40), LimitState(True, 39, 0, 0))
    assert policy == b'"20/s";q=40;w=2'
    assert left == b'"20/s";r=39;t=1'


@pytest.mark.parametrize(
    ("limit", "state", "policy", "left"),
    [
        (LeakyBucket("10/s"), LimitState(True, 2, 0), b'"10/s";q=10;w=1', b'"10/s";r=2;t=1'),
        (SlidingWindow("100/min"), LimitState(True, 7, 0), b'"100/min";q=100;w=60', b'"100/min";r=7;t=60'),
        (SlidingWindow("30/1500ms"), LimitState(True, 7, 0), b'"30/1500ms";q=40;w=2', b'"30/1500ms";r=7;t=2'),
        (SlidingWindowCounter("30/1500ms"), LimitState(True, 7, 0), b'"30/1500ms";q=40;w=2', b'"30/1500ms";r=7;t=2'),
        (Quota("1000/day"), LimitState(True, 7, 0), b'"1000/day";q=1000;w=86400', b'"1000/day";r=7;t=57600'),
        (Quota("1000/month", name="m"), LimitState(False, 0, 5_000_000), b'"m";q=1000;w=2678400', b'"m";r=0;t=5'),
        (SlidingWindow("9/min"), LimitState(False, 0, 1), b'"9/min";q=9;w=60', b'"9/min";r=0;t=1'),
        (SlidingWindow("9/min"), LimitState(False, 0, 2_000_001), b'"9/min";q=9;w=60', b'"9/min";r=0;t=3'),
        (
            Concurrency(5),
            LimitState(True, 4, 0),
            b'"5-at-once";q=5;qu="concurrent-requests"',
            b'"5-at-once";r=4',
        ),
    ],
)
def test_every_kind_of_limit_has_its_fields(limit, state, policy, left):
    assert fields_of(limit, state) == (policy, left)


@given(st.text(max_size=12) | st.from_regex(r"\s?\d{1,3}\s?/\s?s\s?", fullmatch=True), st.none() | st.text(max_size=8))
@example("\N{FULLWIDTH DIGIT TWO}/s", None)
@example("2/s\n", None)
@example("1/s", 'a"b\\c')
@example("1/d", None)
def test_every_limit_that_can_be_declared_can_be_sent(rate, name):
    try:
        limit = TokenBucket(rate, name=name)
    except ConfigurationError:
        return
    policy, left = fields_of(limit, LimitState(True, 1, 0, 0))
    assert list(parsed(left)) == list(parsed(policy)) == [limit.label]


@pytest.mark.parametrize("burst", [10**15, 10**18, 2**63])
def test_a_burst_too_large_for_fields_or_stores_is_refused_when_declared(burst):
    with pytest.raises(ConfigurationError) as raised:
        TokenBucket("1/d", burst=burst)
    assert raised.value.name == "TokenBucket(burst=…)"


def test_an_answer_that_no_store_looked_at_carries_no_fields():
    policy = Policy(limits=[TokenBucket("1/s")])
    verdict = verdict_on(policy, Answer(True, (), None, "none"))
    assert (verdict.refusal, verdict.fields) == (None, ())


def test_a_route_that_rejects_in_an_outage_answers_503_with_retry_after():
    verdict = verdict_on(Policy(limits=[TokenBucket("1/s")]), Answer(False, (), None, "none"))
    assert verdict.refusal.status == 503
    assert verdict.refusal.type.endswith("#temporary-reduced-capacity")
    assert int(dict(verdict.refusal.headers)[b"retry-after"]) >= 1


@given(st.integers(0, 10**13))
def test_retry_after_is_whole_jittered_upwards_and_at_most_a_day(wait_us):
    seconds = retry_after_s(wait_us)
    assert type(seconds) is int
    assert 1 <= seconds <= DAY_S
    assert min(DAY_S, wait_us / 1_000_000) <= seconds <= max(1, math.ceil(wait_us / 1_000_000 * 1.1))


def test_clients_that_are_told_to_come_back_dont_come_back_together():
    assert len({retry_after_s(600_000_000) for _ in range(50)}) > 10


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "carried"), [(200, True), (204, True), (301, False), (304, False), (404, True)])
async def test_redirections_carry_no_fields(status, carried):
    sent = []

    async def send(message) -> None:
        sent.append(message)

    outgoing = ResponseSender(send)
    outgoing.fields = ((b"ratelimit", b"x"),)
    await outgoing({"type": "http.response.start", "status": status, "headers": []})
    assert (outgoing.status, may_carry_fields(status)) == (status, carried)
    assert ((b"ratelimit", b"x") in sent[0]["headers"]) == carried


def test_a_problem_is_problem_json_of_its_own_length():
    problem = Problem(
        409, problem_type("out-of-stock"), "Out of stock", "Täglich", ((b"retry-after", b"1"),), {"id": 7}
    )
    headers = dict(problem_headers(problem))
    assert headers[b"content-type"] == b"application/problem+json"
    assert int(headers[b"content-length"]) == len(problem.body())
    assert headers[b"retry-after"] == b"1"
    assert json.loads(problem.body()) == {
        "type": "urn:tidegate:problem:out-of-stock",
        "title": "Out of stock",
        "status": 409,
        "detail": "Täglich",
        "id": 7,
    }


def test_a_full_uri_stays_a_problems_type():
    assert problem_type("https://example.com/problems/x") == "https://example.com/problems/x"
