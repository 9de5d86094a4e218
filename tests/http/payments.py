"""An application whose handlers count their runs, for the tests of idempotency."""

import os
import threading
from collections import Counter
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel

from tidegate import ProblemError, TokenBucket, policy

AMPLE = [TokenBucket("1000/s", burst=1000)]


class Payment(BaseModel):
    """A request's body."""

    amount: int


class Payments:
    """The application, what ran in it, and the means to hold a handler back.

    Each instance is one environment: its runs are its own.
    """

    def __init__(self, claims: Any = "dynamodb", name: str = "first") -> None:
        self.name = name
        self.runs: Counter[str] = Counter()
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.app = FastAPI()
        self._lock = threading.Lock()
        for declare in (_simple, _kinds_of_answers, _failures, _held_back):
            declare(self, claims)

    def ran(self, route: str) -> int:
        with self._lock:
            self.runs[route] += 1
            return self.runs[route]


def _simple(payments: Payments, claims: Any) -> None:
    app, guarded = payments.app, policy(limits=AMPLE, idempotent=True, claims=claims)

    @app.post("/payments", status_code=201)
    @guarded
    async def pay(payment: Payment, response: Response, request: Request) -> dict[str, Any]:
        number = payments.ran("pay")
        response.headers["location"] = f"/payments/{number}"
        response.headers.append("set-cookie", "a=1")
        response.headers.append("set-cookie", "b=2")
        claim = request.state.tidegate.claim
        return {"number": number, "amount": payment.amount, "claim": claim.id, "by": payments.name}

    @app.put("/payments")
    @guarded
    def put(payment: Payment) -> dict[str, int]:
        return {"number": payments.ran("put"), "amount": payment.amount}

    @app.post("/refunds")
    @guarded
    def refund(payment: Payment) -> dict[str, int]:
        return {"number": payments.ran("refund"), "amount": payment.amount}

    @app.post("/accounts/{account}/payments")
    @guarded
    def pay_into(account: str) -> dict[str, Any]:
        return {"number": payments.ran("pay_into"), "account": account}

    @app.post("/raw")
    @guarded
    async def raw(request: Request) -> dict[str, int]:
        return {"number": payments.ran("raw"), "bytes": len(await request.body())}


def _kinds_of_answers(payments: Payments, claims: Any) -> None:
    app, guarded = payments.app, policy(limits=AMPLE, idempotent=True, claims=claims)

    @app.post("/bytes")
    @guarded
    def some_bytes() -> Response:
        return Response(bytes([payments.ran("bytes"), *range(256)]), media_type="application/octet-stream")

    @app.post("/nothing", status_code=204)
    @guarded
    async def nothing() -> Response:
        return Response(status_code=204, headers={"x-run": str(payments.ran("nothing"))})

    @app.post("/random/{size}")
    @guarded
    def random(size: int) -> Response:
        payments.ran("random")
        return Response(os.urandom(size), media_type="application/octet-stream")

    @app.post("/text/{size}")
    @guarded
    def text(size: int) -> Response:
        return Response(f"{payments.ran('text')}" * size, media_type="text/plain")


def _failures(payments: Payments, claims: Any) -> None:
    app, guarded = payments.app, policy(limits=AMPLE, idempotent=True, claims=claims)

    @app.post("/broken")
    @guarded
    async def broken() -> None:
        raise RuntimeError(f"inner secret {payments.ran('broken')}")

    @app.post("/broken-def")
    @guarded
    def broken_def() -> None:
        raise RuntimeError(f"inner secret {payments.ran('broken-def')}")

    @app.post("/sold-out")
    @guarded
    def sold_out() -> None:
        raise ProblemError(409, "out-of-stock", "Out of stock", "None left.", run=payments.ran("sold-out"))

    @app.post("/status/{status}")
    @guarded
    def answer(status: int) -> None:
        raise HTTPException(status, f"run {payments.ran('status')}", {"retry-after": "7"})


def _held_back(payments: Payments, claims: Any) -> None:
    @payments.app.post("/slow")
    @policy(limits=AMPLE, idempotent=True, claims=claims)
    def slow() -> dict[str, Any]:
        number = payments.ran("slow")
        payments.began.set()
        payments.may_end.wait(30)
        return {"number": number, "by": payments.name}
