"""Tidegate for other people's stacks: a protected API, a judged canary for any Lambda function, and the parts of both.

ProtectedApi(self, "Api", code="src", handler="app.handler")
JudgedRelease(self, "Release", functions=[function])
"""

from tidegate_cdk.api.application_table import ApplicationTable
from tidegate_cdk.api.cache_limits import CacheLimits
from tidegate_cdk.api.cors import Cors
from tidegate_cdk.api.edge import Domain, Edge, Firewall
from tidegate_cdk.api.gateway import PLANS
from tidegate_cdk.api.keeping import Keeping
from tidegate_cdk.api.migrations import Migrations
from tidegate_cdk.api.network import Place
from tidegate_cdk.api.operations import Operations
from tidegate_cdk.api.paths import Paths
from tidegate_cdk.api.protected_api import ProtectedApi
from tidegate_cdk.api.queue import Queue
from tidegate_cdk.api.rates import Rates
from tidegate_cdk.api.redis import ExistingRedis
from tidegate_cdk.api.sizing import Sizing
from tidegate_cdk.api.thresholds import Thresholds
from tidegate_cdk.edge_throttles import EdgeThrottles, Plan, Throttle, TierError
from tidegate_cdk.gateway_problems import GatewayProblems
from tidegate_cdk.judged_release import JudgedRelease
from tidegate_cdk.layer import TidegateLayer
from tidegate_cdk.metrics import LAMBDA_METRICS, Metrics
from tidegate_cdk.own_counts import TidegateCounts
from tidegate_cdk.released import ReleasedFunction, Smoke
from tidegate_cdk.rollout import Rollout
from tidegate_cdk.setting_error import SettingError
from tidegate_cdk.table import TidegateTable

__all__ = [
    "LAMBDA_METRICS",
    "PLANS",
    "ApplicationTable",
    "CacheLimits",
    "Cors",
    "Domain",
    "Edge",
    "EdgeThrottles",
    "ExistingRedis",
    "Firewall",
    "GatewayProblems",
    "JudgedRelease",
    "Keeping",
    "Metrics",
    "Migrations",
    "Operations",
    "Paths",
    "Place",
    "Plan",
    "ProtectedApi",
    "Queue",
    "Rates",
    "ReleasedFunction",
    "Rollout",
    "SettingError",
    "Sizing",
    "Smoke",
    "Thresholds",
    "Throttle",
    "TidegateCounts",
    "TidegateLayer",
    "TidegateTable",
    "TierError",
]
