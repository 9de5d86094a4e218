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

from tidegate.errors import (
    ClaimLostError,
    ConfigurationError,
    IdentityUnavailableError,
    ProblemError,
    StartupError,
    StoreUnavailableError,
    TidegateError,
    UnsupportedEventError,
)

# Not lazily: the decorator is named like its module, and an import of the module would put that under the name.
from tidegate.policy import Policy, policy

if TYPE_CHECKING:
    from tidegate.admission import Admission, Claim
    from tidegate.aws_lambda.handler import lambda_handler
    from tidegate.cache.policy import Cache
    from tidegate.depends import Admitted, limited
    from tidegate.gate import Gate, protect
    from tidegate.health import Health, HealthCheck, StoreHealth
    from tidegate.idempotency.unknown_outcome import NOT_RUN, UnknownAttempt
    from tidegate.identity.caller import Caller
    from tidegate.identity.exemption import Exemption
    from tidegate.limits.concurrency import Concurrency
    from tidegate.limits.leaky_bucket import LeakyBucket
    from tidegate.limits.peek import Left
    from tidegate.limits.quota import Quota
    from tidegate.limits.sliding_window import SlidingWindow
    from tidegate.limits.sliding_window_counter import SlidingWindowCounter
    from tidegate.limits.tiers import Tiers
    from tidegate.limits.token_bucket import TokenBucket
    from tidegate.request_record import RequestRecord
    from tidegate.settings import Settings
    from tidegate.web.error_handlers import problem_response
    from tidegate.web.own_refusals import Refusal

__all__ = [
    "NOT_RUN",
    "Admission",
    "Admitted",
    "Cache",
    "Caller",
    "Claim",
    "ClaimLostError",
    "Concurrency",
    "ConfigurationError",
    "Exemption",
    "Gate",
    "Health",
    "HealthCheck",
    "IdentityUnavailableError",
    "LeakyBucket",
    "Left",
    "Policy",
    "ProblemError",
    "Quota",
    "Refusal",
    "RequestRecord",
    "Settings",
    "SlidingWindow",
    "SlidingWindowCounter",
    "StartupError",
    "StoreHealth",
    "StoreUnavailableError",
    "TidegateError",
    "Tiers",
    "TokenBucket",
    "UnknownAttempt",
    "UnsupportedEventError",
    "lambda_handler",
    "limited",
    "policy",
    "problem_response",
    "protect",
]

# Imported at first use, so that a cold start pays only for the parts in use, and `tidegate.client` for no server.
_LATER = {
    "Refusal": "tidegate.web.own_refusals",
    "Exemption": "tidegate.identity.exemption",
    "limited": "tidegate.depends",
    "Admitted": "tidegate.depends",
    "Admission": "tidegate.admission",
    "Cache": "tidegate.cache.policy",
    "Caller": "tidegate.identity.caller",
    "Claim": "tidegate.admission",
    "Concurrency": "tidegate.limits.concurrency",
    "Gate": "tidegate.gate",
    "Health": "tidegate.health",
    "HealthCheck": "tidegate.health",
    "LeakyBucket": "tidegate.limits.leaky_bucket",
    "Left": "tidegate.limits.peek",
    "Quota": "tidegate.limits.quota",
    "RequestRecord": "tidegate.request_record",
    "Settings": "tidegate.settings",
    "SlidingWindow": "tidegate.limits.sliding_window",
    "SlidingWindowCounter": "tidegate.limits.sliding_window_counter",
    "StoreHealth": "tidegate.health",
    "Tiers": "tidegate.limits.tiers",
    "TokenBucket": "tidegate.limits.token_bucket",
    "NOT_RUN": "tidegate.idempotency.unknown_outcome",
    "UnknownAttempt": "tidegate.idempotency.unknown_outcome",
    "lambda_handler": "tidegate.aws_lambda.handler",
    "problem_response": "tidegate.web.error_handlers",
    "protect": "tidegate.gate",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
