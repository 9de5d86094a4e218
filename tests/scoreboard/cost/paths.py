"""The request whose cost each table tells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.scoreboard.asking import Request
from tests.scoreboard.place import Family, Limit

# Far above what is sent: a refusal would be measured as a quick answer.
LIMIT = Limit(1_000_000, 60)


def requests(family: Family) -> Iterator[Request]:
    """A limited GET that passes; a POST under a new key each time; a GET whose copy is there."""
    for number in itertools.count():
        if family == "limits":
            yield Request("/limited")
        elif family == "cache":
            yield Request("/things/hot")
        else:
            yield Request("/orders", "POST", {"idempotency-key": f'"k{number}"'}, {"item": "tea"})
