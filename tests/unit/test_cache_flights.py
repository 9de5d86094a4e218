"""Those who run at the same time in one environment are one."""

import asyncio

import pytest

from tidegate.cache.single_flight import FlightResult, Flights
from tidegate.web.stored_response import StoredResponse

ANSWER = FlightResult(StoredResponse(200, (), b"a"))


@pytest.mark.anyio
async def test_whoever_waits_gets_the_answer_of_the_one():
    flights = Flights()
    flight = flights.begin("a")
    assert (flights.find("a"), flights.find("b")) == (flight, None)
    waiting = [asyncio.ensure_future(flight.landed(10)) for _ in range(5)]
    await asyncio.sleep(0)
    flight.land(ANSWER)
    flight.land(None)
    assert await asyncio.gather(*waiting) == [ANSWER] * 5
    assert flights.find("a") is None


@pytest.mark.anyio
async def test_one_that_has_nothing_to_share_or_takes_too_long_is_left():
    flights = Flights()
    flight = flights.begin("a")
    assert await flight.landed(0) is None
    waiting = asyncio.ensure_future(flight.landed(10))
    await asyncio.sleep(0)
    flight.land(None)
    assert await waiting is None


@pytest.mark.anyio
async def test_nobody_joins_what_is_computed_under_a_tag_that_was_voided():
    flights = Flights()
    flight, other = flights.begin("a", ("t1", "t2")), flights.begin("b", ("t3",))
    waiting = asyncio.ensure_future(flight.landed(10))
    await asyncio.sleep(0)
    flights.void(["t2"])
    assert (flights.find("a"), flights.find("b")) == (None, other)
    flight.land(ANSWER)
    assert await waiting == ANSWER


@pytest.mark.anyio
async def test_the_end_of_an_old_one_does_not_end_the_next():
    flights = Flights()
    first = flights.begin("a")
    second = flights.begin("a")
    first.land(None)
    assert flights.find("a") is second
