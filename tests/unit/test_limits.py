"""What a request is charged, and whose limit it is."""

import itertools

import pytest

from tidegate import Caller, Concurrency, Policy, Quota, TokenBucket
from tidegate.limits.charges import ChargeContext, ChargeSet, charge_set, subject
from tidegate.limits.limit import Limit
from tidegate.limits.overrides import Overrides
from tidegate.routing import RoutePolicy

NOW_US = 1_800_000_000_000_000
ALICE = Caller("key:alice")
STAFF = Caller("key:alice", organisation="acme")


def charged(
    *limits: Limit, route="/a", method="GET", caller=ALICE, scope=None, overrides=None, now_us=NOW_US
) -> ChargeSet:
    asking = ChargeContext(caller, scope or {}, now_us)
    chosen = RoutePolicy(route, method, Policy(limits=limits))
    return charge_set(chosen, asking, "test", overrides or Overrides())


def keys(*limits: Limit, **options) -> list[str]:
    return [charge.key for charge in charged(*limits, **options).charges]


def test_each_limit_is_one_charge_with_its_rule_and_cost():
    limit = TokenBucket("1/s", burst=5, cost=3)
    [charge] = charged(limit).charges
    assert (charge.rule, charge.cost) == (limit.bucket, 3)


def test_a_cost_may_depend_on_the_request():
    limit = TokenBucket("1/s", burst=500, cost=lambda scope: len(scope["query_string"]))
    [charge] = charged(limit, scope={"query_string": b"12345"}).charges
    assert charge.cost == 5


def test_every_route_method_and_limit_has_a_bucket_of_its_own():
    two = (TokenBucket("1/s"), TokenBucket("9/min"))
    every = [keys(*two, route=r, method=m) for r, m in itertools.product(["/a", "/b"], ["GET", "PUT"])]
    assert len(set(itertools.chain(*every))) == 8


def test_a_limit_named_like_anothers_place_has_a_bucket_of_its_own():
    assert len(set(keys(TokenBucket("1/s", name="1"), TokenBucket("9/min")))) == 2


def test_a_new_rate_hands_no_one_a_full_bucket():
    assert keys(TokenBucket("1/s")) == keys(TokenBucket("5/s", burst=50))


def test_a_named_limit_keeps_its_bucket_when_its_place_changes():
    named = TokenBucket("1/s", name="writes")
    assert keys(named)[0] == keys(TokenBucket("9/min"), named)[1]


def test_a_shared_limit_is_the_same_on_every_route():
    shared = TokenBucket("1/s", name="all", shared=True)
    assert keys(shared) == keys(shared, route="/b", method="POST")


@pytest.mark.parametrize("caller", [ALICE, STAFF])
def test_keys_are_short_and_safe_in_any_store(caller):
    for key in keys(TokenBucket("1/s", name="{evil}:key #1"), route="/v1/{id}/ü", caller=caller):
        assert len(key) == 8
        assert key.replace("-", "").replace("_", "").isalnum()


def test_principals_share_their_organisations_limit_and_have_their_own():
    org, own = TokenBucket("9/s", per="organisation", name="org"), TokenBucket("1/s", name="own")
    alice, bob = STAFF, Caller("key:bob", organisation="acme")
    assert subject("test", alice) == subject("test", bob) != subject("test", ALICE)
    (org_a, own_a), (org_b, own_b) = keys(org, own, caller=alice), keys(org, own, caller=bob)
    assert org_a == org_b
    assert own_a != own_b


def test_who_belongs_to_no_organisation_is_not_limited_by_one():
    org, own = TokenBucket("9/s", per="organisation", name="org"), TokenBucket("1/s", name="own")
    assert charged(org, own).limits == (own,)


def test_a_limit_per_address_is_for_callers_otherwise_unknown():
    per_ip = TokenBucket("1/s", per="ip", name="ip")
    assert charged(per_ip, caller=Caller("ip:192.0.2.1")).limits == (per_ip,)
    assert charged(per_ip, caller=ALICE).limits == ()


def test_a_routes_limit_is_one_for_all_callers():
    whole = TokenBucket("1/s", per="route")
    [mine], [theirs] = charged(whole).charges, charged(whole, caller=STAFF).charges
    assert (mine.subject, mine.key) == (theirs.subject, theirs.key)
    assert mine.subject not in {"", subject("test", ALICE)}
    assert charged(whole, route="/b").charges[0].subject != mine.subject


def test_a_quotas_day_is_the_callers_own():
    quota = Quota("10/day", zone="UTC")
    [utc] = charged(quota).charges
    [tokyo] = charged(quota, caller=Caller("key:alice", time_zone="Asia/Tokyo")).charges
    assert tokyo.rule.start_us != utc.rule.start_us
    assert (tokyo.rule.start_us - utc.rule.start_us) % 3_600_000_000 == 0


def test_a_slot_is_held_by_the_request_and_freed_by_its_correction():
    applied = charged(Concurrency(2))
    [charge] = applied.charges
    assert charge.holder != charged(Concurrency(2)).charges[0].holder
    [freed] = applied.corrections({})
    assert (freed.holder, freed.cost) == (charge.holder, -1)
    [renewed] = applied.renewals()
    assert (renewed.holder, renewed.cost) == (charge.holder, 0)


def test_a_handlers_stated_cost_corrects_every_limit_or_the_one_named():
    applied = charged(TokenBucket("9/s", cost=2), TokenBucket("9/min", name="work"))
    assert applied.corrections({}) == ()
    assert [c.cost for c in applied.corrections({None: 5})] == [3, 4]
    assert [c.cost for c in applied.corrections({"work": 0})] == [-1]
    assert [c.cost for c in applied.corrections({None: 2, "work": 4})] == [3]


def test_an_override_goes_before_the_code():
    limit = TokenBucket("1/s", name="writes")
    changed = Overrides.of({"writes": {"rate": "5/s", "burst": 7, "shadow": True}})
    [charge] = charged(limit, overrides=changed).charges
    assert (charge.rule.burst, charge.shadow) == (7, True)
    assert [charge.key] == keys(limit)
    assert charged(limit, overrides=Overrides.of({"writes": {"off": True}})).limits == ()
    assert charged(limit, overrides=Overrides.of({"others": {"off": True}})).limits == (limit,)


@pytest.mark.parametrize("wrong", [{"rate": "fast"}, {"per": "ip"}, {"speed": 5}, {"burst": "many"}])
def test_an_override_that_is_wrong_changes_nothing(wrong):
    limit = TokenBucket("1/s", name="writes")
    assert charged(limit, overrides=Overrides.of({"writes": wrong})).limits == (limit,)
