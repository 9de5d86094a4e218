"""Tidegate keeps an HTTP API on AWS Lambda answering when Redis is down, when a request storm comes, and
while a release is under way.

    app = FastAPI()
    protect(app)

    @app.post("/payments")
    @policy(limits=[TokenBucket("20/s", burst=40)], idempotent=True, priority="critical")
    async def pay(): ...
"""

from tidegate.admission import Admission, Claim
from tidegate.aws_lambda import lambda_handler
from tidegate.errors import ClaimLostError, ConfigurationError, ProblemError, StoreUnavailableError, TidegateError
from tidegate.gate import Gate, Health, StoreHealth, protect
from tidegate.identity import Caller
from tidegate.limits import Concurrency, LeakyBucket, Quota, SlidingWindow, TokenBucket
from tidegate.peek import Left
from tidegate.policy import Policy, policy
from tidegate.problems import problem_response
from tidegate.settings import Settings

__all__ = [
    "Admission",
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
