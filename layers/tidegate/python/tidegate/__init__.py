"""Tidegate keeps an HTTP API on AWS Lambda answering when Redis is down, when a request storm comes, and
while a release is under way.

    app = FastAPI()
    protect(app)

    @app.post("/payments")
    @policy(limits=[TokenBucket("20/s", burst=40)], idempotent=True, priority="critical")
    async def pay(): ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tidegate.admission import Admission, Claim
from tidegate.aws_lambda import lambda_handler
from tidegate.errors import ClaimLostError, ConfigurationError, ProblemError, StoreUnavailableError, TidegateError
from tidegate.gate import Gate, Health, StoreHealth, protect
from tidegate.identity import Caller
from tidegate.limits.token_bucket import TokenBucket
from tidegate.policy import Policy, policy
from tidegate.problems import problem_response
from tidegate.settings import Settings

if TYPE_CHECKING:
    from tidegate.caching.cache import Cache
    from tidegate.limits.concurrency import Concurrency
    from tidegate.limits.leaky_bucket import LeakyBucket
    from tidegate.limits.quota import Quota
    from tidegate.limits.sliding_window import SlidingWindow
    from tidegate.peek import Left

__all__ = [
    "Admission",
    "Cache",
    "Caller",
    "Claim",
    "ClaimLostError",
    "Concurrency",
    "ConfigurationError",
    "Gate",
    "Health",
    "LeakyBucket",
    "Left",
    "Policy",
    "ProblemError",
    "Quota",
    "Settings",
    "SlidingWindow",
    "StoreHealth",
    "StoreUnavailableError",
    "TidegateError",
    "TokenBucket",
    "lambda_handler",
    "policy",
    "problem_response",
    "protect",
]

# What most applications don't name is imported when one does: a cold start pays for what it uses.
_LATER = {
    "Cache": "tidegate.caching.cache",
    "Concurrency": "tidegate.limits.concurrency",
    "LeakyBucket": "tidegate.limits.leaky_bucket",
    "Left": "tidegate.peek",
    "Quota": "tidegate.limits.quota",
    "SlidingWindow": "tidegate.limits.sliding_window",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
