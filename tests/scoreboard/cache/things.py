"""The request that every situation of this table sends."""

from __future__ import annotations

from tests.scoreboard.asking import Request

THING = Request("/things/hot")
RFC_9111 = "https://www.rfc-editor.org/rfc/rfc9111.html"


def thing_for(caller: str) -> Request:
    """The same with a credential."""
    return Request(THING.path, fields={"authorization": f"Bearer {caller}"})
