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

from tidegate.errors import ClaimLostError, ConfigurationError, ProblemError, StoreUnavailableError, TidegateError

# At once: the decorator has its module's name, which an import of that module alone would leave here.
from tidegate.policy import Policy, policy

if TYPE_CHECKING:
    from tidegate.admission import Admission, Claim
    from tidegate.aws_lambda import lambda_handler
    from tidegate.caching.cache import Cache
    from tidegate.gate import Gate, Health, StoreHealth, protect
    from tidegate.identity import Caller
    from tidegate.limits.concurrency import Concurrency
    from tidegate.limits.leaky_bucket import LeakyBucket
    from tidegate.limits.quota import Quota
    from tidegate.limits.sliding_window import SlidingWindow
    from tidegate.limits.token_bucket import TokenBucket
    from tidegate.peek import Left
    from tidegate.problems import problem_response
    from tidegate.settings import Settings

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

# Imported when it is named: a cold start pays for what it uses, and `tidegate.client` for no server.
_LATER = {
    "Admission": "tidegate.admission",
    "Cache": "tidegate.caching.cache",
    "Caller": "tidegate.identity",
    "Claim": "tidegate.admission",
    "Concurrency": "tidegate.limits.concurrency",
    "Gate": "tidegate.gate",
    "Health": "tidegate.gate",
    "LeakyBucket": "tidegate.limits.leaky_bucket",
    "Left": "tidegate.peek",
    "Quota": "tidegate.limits.quota",
    "Settings": "tidegate.settings",
    "SlidingWindow": "tidegate.limits.sliding_window",
    "StoreHealth": "tidegate.gate",
    "TokenBucket": "tidegate.limits.token_bucket",
    "lambda_handler": "tidegate.aws_lambda",
    "problem_response": "tidegate.problems",
    "protect": "tidegate.gate",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
