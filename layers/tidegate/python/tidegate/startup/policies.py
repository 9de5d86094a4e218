"""The policies that an application gives to routes by path: checked when they are given, and said at start."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.errors import ConfigurationError
from tidegate.identity.exemption import check_prefix
from tidegate.policy import Policy
from tidegate.routing import RouteTable
from tidegate.telemetry import logger


def check_policies(default: Policy, by_path: Mapping[str, Policy]) -> None:
    """Refuse policies that can't hold without `@policy`, which wraps the handler.

    Raises:
        ConfigurationError: one is idempotent, queued or cached, or isn't given for a path.
    """
    if default.idempotent:
        raise ConfigurationError("protect(default=…)", "a default can't be idempotent; write @policy on those routes")
    if default.captures:
        raise ConfigurationError("protect(default=…)", "a default can't be cached; write @policy on those routes")
    for path, policy in by_path.items():
        check_prefix("protect(policies=…)", path)
        if policy.takes_claims or policy.captures:
            raise ConfigurationError(
                f"protect(policies={{{path!r}: …}})",
                "idempotent, overflow, cache and coalesce need the handler itself; write @policy on those routes",
            )


def say_policies(table: RouteTable) -> None:
    """Log which routes have a policy by their path, which paths have none, and which dependencies count for nothing."""
    for path, routes in table.by_prefix.items():
        if routes:
            logger().info("policy by path", extra={"path": path, "routes": sorted(set(routes))})
        else:
            logger().warning("a policy by path has no route", extra={"path": path})
    if table.replaced:
        logger().warning(
            "limits of a dependency are replaced",
            extra={
                "routes": sorted(set(table.replaced)),
                "detail": "the more specific policy counts alone; write all limits there",
            },
        )
