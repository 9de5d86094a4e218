"""Tidegate for other people's stacks: a judged canary for any Lambda function, the edge's parts, and the table.

JudgedRelease(self, "Release", functions=[function])
"""

from tidegate_cdk.edge_throttles import EdgeThrottles, Plan, Throttle, TierError
from tidegate_cdk.gateway_problems import GatewayProblems
from tidegate_cdk.judged_release import JudgedRelease
from tidegate_cdk.layer import TidegateLayer
from tidegate_cdk.metrics import LAMBDA_METRICS, Metrics
from tidegate_cdk.own_counts import TidegateCounts
from tidegate_cdk.released import ReleasedFunction, Smoke
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.table import TidegateTable

__all__ = [
    "LAMBDA_METRICS",
    "EdgeThrottles",
    "GatewayProblems",
    "JudgedRelease",
    "Metrics",
    "Plan",
    "ReleasedFunction",
    "Rollout",
    "Smoke",
    "Throttle",
    "TidegateCounts",
    "TidegateLayer",
    "TidegateTable",
    "TierError",
]
