"""An idempotent payment: one key, one row, however often a client asks and whatever is lost on the way.

    TIDEGATE_STORE=memory uvicorn --app-dir examples payment:app
    curl -i -X POST 'http://127.0.0.1:8000/payments?cents=500' -H 'Idempotency-Key: "order-1"'

It needs SQLAlchemy. The payment's id is made of the claim's, so that a second run, as after a crash between the commit
and the answer, finds the row of the first. DATABASE_URL is SQLite's file `payments.db` by default.
"""

import os
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tidegate import Claim, TokenBucket, policy, protect

app = FastAPI(title="Payment")
protect(app)
engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///payments.db"))


class Base(DeclarativeBase):
    """The tables."""


class Payment(Base):
    """One payment."""

    __tablename__ = "payments"
    id: Mapped[str] = mapped_column(primary_key=True)
    cents: Mapped[int]


Base.metadata.create_all(engine)


def session() -> Iterator[Session]:
    """Commit before the answer is made: the exit of scope `function` runs then."""
    with Session(engine) as opened, opened.begin():
        yield opened


Database = Annotated[Session, Depends(session, scope="function")]


@app.post("/payments", status_code=201)
@policy(limits=[TokenBucket("20/s", burst=40)], idempotent=True, priority="critical")
def pay(request: Request, database: Database, cents: int) -> dict[str, str | int]:
    """Write one row for one key."""
    claim: Claim = request.state.tidegate.claim
    payment = database.get(Payment, claim.id)
    if payment is None:
        payment = Payment(id=claim.id, cents=cents)
        database.add(payment)
    return {"id": payment.id, "cents": payment.cents}


@app.get("/payments/count")
@policy()
def count(database: Database) -> int:
    """Say how many rows there are."""
    return database.scalar(select(func.count()).select_from(Payment)) or 0
