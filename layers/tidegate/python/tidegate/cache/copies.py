"""Reading a copy, and validating it: anybody with write access to Redis may have written the bytes."""

from __future__ import annotations

from tidegate.cache.single_flight import FlightResult
from tidegate.cache.storable import KEPT_STATUSES, LARGEST_BYTES
from tidegate.cache_messages import CachedCopy
from tidegate.web.stored_response import StoredResponse


def landing_of(copy: CachedCopy) -> FlightResult | None:
    """Return the response that a copy holds; None if it is malformed, or of a status or size that is never kept."""
    try:
        response = StoredResponse.decode(copy.record)
    except (ValueError, AttributeError, RecursionError):
        return None
    if type(response.status) is not int or response.status not in KEPT_STATUSES:
        return None
    if response.body is None or len(response.body) > LARGEST_BYTES:
        return None
    return FlightResult(response, copy.age_ms, copy.fresh_ms)
