"""Models without log lines, and without what an earlier test has made of the library."""

import logging

import pytest

from tests.model import claim_programs, claim_steps, release_programs, release_steps


@pytest.fixture(autouse=True)
def model():
    """The controller meets the model; what was computed by code that a test has broken is forgotten."""
    logging.disable(logging.CRITICAL)
    _forget()
    with release_programs.inside():
        yield
    _forget()
    logging.disable(logging.NOTSET)


def _forget() -> None:
    for cached in (
        claim_programs.fingerprint,
        claim_steps.gone_on,
        claim_steps._in_redis,
        claim_steps._in_dynamodb,
        claim_steps._sure,
        release_steps.gone_on,
        release_steps.definition_,
    ):
        cached.cache_clear()
