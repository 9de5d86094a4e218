"""What an answer says of the cache."""

from __future__ import annotations

from typing import Any

import http_sf
import httpx


def told(answer: httpx.Response) -> dict[str, Any]:
    """What Cache-Status says, tokens as text."""
    [(name, parameters)] = http_sf.parse(answer.headers["cache-status"].encode(), tltype="list")
    assert str(name) == "tidegate"
    return {key: value if isinstance(value, bool | int) else str(value) for key, value in parameters.items()}
