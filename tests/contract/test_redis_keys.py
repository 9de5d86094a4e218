"""What lies in Redis: named as ours, short-lived, and together for one subject."""

from redis.crc import key_slot

from tests.contract.workers import request
from tidegate.limits.token_bucket import Bucket
from tidegate.messages import Charge, Question, Settlement

RUNS_ON = ["redis", "redis-cluster", "valkey"]

SLOW = Bucket(interval_us=60_000_000, burst=10)


def question(subject: str = "subject", *, in_redis: bool = True) -> Question:
    charges = (Charge("a", SLOW), Charge("b", SLOW, 3))
    return Question(subject, charges, request("claim", "first") if in_redis else None)


def everything(rig) -> None:
    rig.store.admit(question())
    rig.store.settle(Settlement("subject", request("claim", "first"), b"answer", fenced=True))
    rig.store.settle(Settlement("subject", request("copy", "first"), b"answer", fenced=False))
    rig.store.probe()


def test_every_key_is_ours_and_ends_by_itself(rig, place_db):
    everything(rig)
    keys = place_db.keys("*")
    assert len(keys) == 8
    assert all(key.startswith(b"tidegate:") for key in keys)
    assert all(place_db.pttl(key) > 0 for key in keys)


def test_all_keys_of_a_subject_share_a_slot(rig, place_db):
    everything(rig)
    of_subject = place_db.keys("tidegate:{subject}:*")
    assert len(of_subject) == 4
    assert len({key_slot(key) for key in of_subject}) == 1


def test_a_bucket_is_kept_for_one_minute_after_it_is_full_again(rig, place_db):
    rig.store.admit(question())
    for key, tokens in ((b"a", 1), (b"b", 3)):
        left_ms = place_db.pttl(b"tidegate:{subject}:" + key)
        assert tokens * 60_000 + 50_000 < left_ms <= tokens * 60_000 + 60_002


def test_a_bucket_is_one_short_string(rig, place_db):
    rig.store.admit(question())
    assert len(place_db.get("tidegate:{subject}:a")) == 16
    assert place_db.memory_usage("tidegate:{subject}:a") <= 110


def test_a_refusal_writes_nothing(rig, place_db):
    rig.store.admit(Question("subject", (Charge("a", SLOW, 10),)))
    before = place_db.get("tidegate:{subject}:a")
    assert not rig.store.admit(question()).admitted
    assert place_db.get("tidegate:{subject}:a") == before
    assert place_db.keys("tidegate:{subject}:*") == [b"tidegate:{subject}:a"]


def test_deployments_that_share_a_server_share_no_fleet(rig, place_db):
    rig.store.admit(question())
    assert set(place_db.keys("tidegate:{fleet:*")) == {
        b"tidegate:{fleet:contract}",
        b"tidegate:{fleet:contract}:clock",
        b"tidegate:{fleet:contract}:places",
    }
