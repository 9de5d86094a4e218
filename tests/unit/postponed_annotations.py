"""Handlers of a module whose annotations are strings: what FastAPI must still be able to resolve."""

from __future__ import annotations

from pydantic import BaseModel

from tidegate import policy


class Parcel(BaseModel):
    """Known to this module only, so that its name resolves here and nowhere else."""

    weight_g: int


@policy(idempotent=True)
async def send_later(depot: int, parcel: Parcel) -> Parcel:
    """Sends a parcel."""
    return Parcel(weight_g=parcel.weight_g + depot)


@policy(idempotent=True)
def send_now(depot: int, parcel: Parcel) -> Parcel:
    """Sends a parcel."""
    return Parcel(weight_g=parcel.weight_g + depot)
