"""The check at start of what a queued route reads of its requests: is it there in the queued run?

Credentials aren't kept: a queued run has the principal, but no proof of it. A route that reads credentials, by a
security scheme or by a parameter with a credential's name, refuses every queued run. That is harmless, but useless, so
it is logged as a warning. Any other field that isn't kept would be missing silently, and might change the effect
(`X-Dry-Run`), so it is an error.
"""

from __future__ import annotations

from tidegate.errors import ConfigurationError
from tidegate.overflow.kept_fields import CREDENTIALS, Kept, is_secret
from tidegate.routing import RoutePolicy
from tidegate.telemetry import logger


def check(route: RoutePolicy) -> None:
    """Check one route.

    Raises:
        ConfigurationError: it asks for a field that its queued runs would lack.
    """
    name, reads = f"{route.method} {route.route}", route.reads
    kept = Kept.named(route.policy.queue_keeps, reads.schemes)
    missing = sorted(_written(*each) for each in reads.parameters - reads.schemes if not _reaches(kept, *each))
    credentials = [each for each in missing if _is_credential(each)]
    others = [each for each in missing if each not in credentials]
    if others:
        raise ConfigurationError(
            f"policy(queue_keeps=…) of {name}",
            f"it asks for {', '.join(others)}, which a queued request doesn't keep; write queue_keeps={others}, "
            "if that carries no credentials",
        )
    if reads.insists or credentials:
        logger().warning(
            "a queued route asks for credentials, which its queued runs don't have",
            extra={
                "routes": name,
                "detail": "they aren't kept, and such a run is refused; let protect(identify=…) or an authorizer find "
                "the caller, declare the scheme with auto_error=False, and have the dependency accept "
                "request.state.tidegate.principal where request.state.tidegate.queued is true"
                + (
                    f"; if {', '.join(credentials)} is no credential, write queue_keeps={credentials}"
                    if credentials
                    else ""
                ),
            },
        )


def _reaches(kept: Kept, place: str, name: str) -> bool:
    if place == "header":
        return kept.has_field(name.encode("latin-1", "replace"))
    return place == "query" and kept.has_parameter(name)


def _written(place: str, name: str) -> str:
    return {"query": f"?{name}", "cookie": f"cookie {name}"}.get(place, name)


def _is_credential(written: str) -> bool:
    return written.startswith("cookie ") or written.encode() in CREDENTIALS or is_secret(written.removeprefix("?"))
