"""The request that every situation of this table sends, and what is read of its answers."""

from __future__ import annotations

import time
from threading import Thread
from typing import Any

from tests.harness.tcp_proxy import TcpProxy
from tests.scoreboard.asking import Answer, Request, ask, duration
from tests.scoreboard.stage import Served, Stage

DRAFT = "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07"
LEASE = "a claim of a silent holder stands for 25 s where that can be chosen (what it is on a server of Tidegate's)"
WITHIN_S = 35.0
_EVERY_S = 0.25
_PATIENCE_S = 5.0


def order(key: str, item: str = "tea", caller: str = "alice") -> Request:
    """POST /orders."""
    fields = {"idempotency-key": f'"{key}"', "authorization": f"Bearer {caller}"}
    return Request("/orders", "POST", fields, {"item": item})


def warmed(stage: Stage) -> Served:
    """A server that has answered one order, so that it is connected."""
    served = stage.serve()
    retried(served, order("warm", "warm"), _PATIENCE_S)
    return served


def run_of(answer: Answer) -> Any:
    """Which run of the handler an answer tells of; None if none."""
    return answer.body.get("run") if answer.succeeded and isinstance(answer.body, dict) else None


def retried(served: Served, request: Request, within_s: float = WITHIN_S) -> tuple[Answer | None, str]:
    """Ask again and again until a 2xx; it, or None, and what was seen: `409 for 15.1 s, then 201`."""
    began, said = time.monotonic(), ""
    while time.monotonic() < began + within_s:
        answer = ask(served.url, request, _PATIENCE_S)
        if answer.succeeded:
            return answer, f"{said} for {duration(answer.sent - began)}, then {answer.said}" if said else str(
                answer.said
            )
        said = str(answer.said)
        time.sleep(_EVERY_S)
    return None, f"{said} for {within_s:.0f} s"


def claims_way(stage: Stage) -> TcpProxy | None:
    """The way to the store that holds the contender's claims; None if that is a file."""
    return {"redis": stage.to_redis, "dynamodb": stage.to_dynamo, "file": None}[stage.contender.claims_in]


class Asked:
    """A request that is on its way, on a thread of its own."""

    def __init__(self, served: Served, request: Request, patience_s: float = 60.0) -> None:
        self._answers: list[Answer] = []
        self._thread = Thread(target=lambda: self._answers.append(ask(served.url, request, patience_s)), daemon=True)
        self._thread.start()

    def answer(self, within_s: float) -> Answer | None:
        """Its answer; None if there is none yet."""
        self._thread.join(within_s)
        return self._answers[0] if self._answers else None
