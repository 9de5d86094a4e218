"""GET /v1/hello: a start; all of it is yours to change."""

from fastapi import APIRouter

from tidegate import TokenBucket, policy

router = APIRouter(prefix="/v1/hello", tags=["hello"])


def greeting() -> str:
    """Return the greeting."""
    return "hello"


@router.get("", operation_id="hello")
@policy(limits=[TokenBucket("5/s", burst=10)])
async def hello() -> dict[str, str]:
    """Say hello, to each caller at most 5 times a second."""
    return {"message": greeting()}
