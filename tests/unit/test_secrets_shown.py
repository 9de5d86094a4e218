"""What holds a secret doesn't show it: error reporters write the `repr` of local variables into their reports."""

import pytest

from functions.rollout.counts_in_redis import Target
from tidegate import Settings
from tidegate.overflow.state import QueuedItem
from tidegate.redis_driver.node import RedisTarget
from tidegate.redis_driver.url import parse
from tidegate.sigv4 import Keys

URL = "rediss://user:hunter2@cache:6379/0"


@pytest.mark.parametrize(
    "holder",
    [
        Settings(redis_url=URL, table="table"),
        Settings(principal_secret="hunter2", memory_only=True),
        RedisTarget(URL, 0.02, 0.02),
        parse(URL),
        Keys("AKIA", "hunter2", "hunter2"),
        Target(URL),
        QueuedItem("id", "nonce", "queued", "me", "queue", "place", "print", 0, request=b"hunter2", secret="hunter2"),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_its_repr_is_without_it(holder):
    assert "hunter2" not in repr(holder)
    assert "hunter2" not in f"{holder}"
