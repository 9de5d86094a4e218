"""A limit holds over an outage of Redis, its beginning and its end: nobody gets a fresh burst by it."""

from tests.harness.waiting import all_made, eventually
from tests.http.traffic import LIMIT, Bound, Traffic, shop


def test_limits_hold_over_two_environments_during_and_after_an_outage(deploy, stores, brief_settings, log):
    traffic = Traffic(deploy(shop(LIMIT), brief_settings), deploy(shop(LIMIT), brief_settings))
    before = Bound(traffic)
    traffic.go_on(0.5)
    assert before.holds()

    outage = Bound(traffic)
    stores.redis.kill()
    traffic.until(lambda: log.last["store"] == "dynamodb")
    refilling = traffic.admitted
    traffic.go_on(0.8)
    assert traffic.admitted > refilling, "the fallback refills, too"
    assert outage.holds()

    back = Bound(traffic)
    stores.redis.start()  # empty: it remembers nobody's debt
    traffic.until(lambda: log.last["store"] == "redis")
    traffic.go_on(0.5)
    assert back.holds()


def test_one_environment_never_gets_a_fresh_burst(deploy, stores, brief_settings, log):
    """Over both changes together: it knows itself what it has spent."""
    traffic = Traffic(deploy(shop(LIMIT), brief_settings))
    whole = Bound(traffic)
    traffic.go_on(0.3)
    for _ in range(2):
        stores.redis.kill()
        traffic.until(lambda: log.last["store"] == "dynamodb")
        traffic.go_on(0.3)
        assert whole.holds()
        stores.redis.start()
        traffic.until(lambda: log.last["store"] == "redis")
        traffic.go_on(0.2)
        assert whole.holds()


def test_an_environment_that_is_born_in_the_outage_keeps_to_the_same_limit(deploy, stores, brief_settings, log):
    old = Traffic(deploy(shop(LIMIT), brief_settings))
    old.go_on(0.2)
    stores.redis.kill()
    both = Traffic(deploy(shop(LIMIT), brief_settings), deploy(shop(LIMIT), brief_settings))
    outage = Bound(both)
    both.go_on(0.5)
    assert log.last["store"] == "dynamodb"
    assert outage.holds()


def test_a_caller_who_was_idle_before_the_outage_is_served_in_it(deploy, stores, brief_settings, log):
    api = deploy(shop(), brief_settings)
    api.get("/products", key="alice")
    all_made()
    stores.redis.kill()
    eventually(lambda: api.get("/products", key="bob").status_code == 200, within_s=2)
    assert log.last["store"] == "dynamodb"
