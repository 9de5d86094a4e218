"""Traffic that must be answered well whatever happens to the stores, and what a limit may admit of it."""

import time

from fastapi import FastAPI

from tidegate import TokenBucket, policy

QUICK = TokenBucket("50/s", burst=20)


def shop(limit=QUICK):
    app = FastAPI()

    @app.get("/products")
    @policy(limits=[limit])
    async def products():
        return []

    return app


class Traffic:
    """Requests to each environment in turn, each of which must be answered well.

    Attributes:
        admitted: how many a limit has let through.
    """

    def __init__(self, *apis):
        self._apis = apis
        self.admitted = 0

    def one(self):
        for api in self._apis:
            answer = api.get("/products", key="alice")
            assert answer.status_code in {200, 429}, answer.text
            self.admitted += answer.status_code == 200

    def until(self, reached, *, within_s=30.0):
        """Send until it is so; raises AssertionError if it never is. How soon it is, the fault matrix measures."""
        began = time.monotonic()
        while True:
            self.one()
            if reached():
                return
            assert time.monotonic() - began < within_s, f"not reached in {within_s} s"

    def go_on(self, seconds):
        """Send for so long."""
        ends = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > ends)


LIMIT = TokenBucket("20/s", burst=30)


class Bound:
    """What `LIMIT` may admit from now on: its burst, its rate as long as it lasts, and the one token of a change."""

    def __init__(self, traffic):
        self._traffic = traffic
        self._admitted_before, self._began = traffic.admitted, time.monotonic()

    def holds(self):
        """Whether no more was admitted; an AssertionError says how much was."""
        refilled = (time.monotonic() - self._began) * 1e6 / LIMIT.bucket.interval_us
        assert self._traffic.admitted - self._admitted_before <= LIMIT.bucket.burst + refilled + 1
        return True
