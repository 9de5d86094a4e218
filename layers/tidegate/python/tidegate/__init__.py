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
from tidegate.errors import ConfigurationError, ProblemError, StoreUnavailableError, TidegateError
from tidegate.gate import Gate, Health, StoreHealth, protect
from tidegate.policy import Policy, TokenBucket, policy
from tidegate.problems import problem_response
from tidegate.settings import Settings

__all__ = [
    "Admission",
    "Claim",
    "ConfigurationError",
    "Gate",
    "Health",
    "Policy",
    "ProblemError",
    "Settings",
    "StoreHealth",
    "StoreUnavailableError",
    "TidegateError",
    "TokenBucket",
    "lambda_handler",
    "policy",
    "problem_response",
    "protect",
]
