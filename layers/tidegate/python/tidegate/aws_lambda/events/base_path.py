"""The beginning of a request's path that isn't the application's: a REST API's stage, a named stage of an HTTP API, the
base path of a custom domain.

It becomes ASGI's `root_path`: routes match the path below it, and the application's links begin with it. The gateway's
event decides. Only if the event leaves open whether its own names are in the path, the application's routes decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from tidegate.aws_lambda.events.kind import EventKind

_PARAMETER = re.compile(r"\{([^{}]+?)(\+?)\}")

# Whether the application has a route for a path.
Has = Callable[[str], bool]


def root_and_below(event: dict[str, Any], kind: EventKind, path: str, has: Has) -> tuple[str, str]:
    """Return the root path, and the path below it, both decoded.

    Args:
        event: the event.
        kind: its kind.
        path: its path, decoded.
        has: returns whether the application has a route for a path.
    """
    if kind == "alb":
        return "", path
    context = event.get("requestContext") or {}
    if kind == "rest":
        whole = context.get("path")
        if isinstance(whole, str) and len(whole) > len(path) and (whole := unquote(whole)).endswith(path):
            return whole[: -len(path)].rstrip("/"), path  # at the API's own domain the stage comes before the path
        template = event.get("resource")
    else:
        template = event.get("routeKey")
        template = template.partition(" ")[2] if isinstance(template, str) else None
    root, below = split(path, _before(path, template, event.get("pathParameters")) or _stage(context, kind))
    return ("", path) if root and has(path) and not has(below) else (root, below)


def split(path: str, root: str) -> tuple[str, str]:
    """Return the root path if the path begins with it, else an empty one; and the path below it."""
    if root and path == root:
        return root, "/"
    return (root, path[len(root) :]) if root and path.startswith(root + "/") else ("", path)


def joined(path: str, root: str, below: str) -> str:
    """Return the path for ASGI: the event's own, if a framework can find the path below the root in it.

    Args:
        path: the event's.
        root: the root path that the application will see.
        below: the path that its routes are to match.
    """
    if not root or path == root + below:
        return path if root else below
    return root + below if below == root or below.startswith(root + "/") or path == root else below


def _before(path: str, template: Any, parameters: Any) -> str:
    """Return the path before the route that the gateway matched; empty if the event doesn't name that route."""
    if not isinstance(template, str) or not template.startswith("/"):
        return ""
    named = parameters if isinstance(parameters, dict) else {}
    wanted = [found[1] for found in _PARAMETER.finditer(template)]
    if not all(isinstance(named.get(name), str) and named[name].strip("/") for name in wanted):
        return ""
    filled = _PARAMETER.sub(lambda found: named[found[1]].strip("/"), template).rstrip("/")
    trimmed = path.rstrip("/")
    return trimmed[: len(trimmed) - len(filled)] if filled and trimmed.endswith(filled) else ""


def _stage(context: dict[str, Any], kind: EventKind) -> str:
    """Return the stage that an HTTP API puts before the path; empty for the default stage."""
    stage = context.get("stage")
    named = kind == "http" and isinstance(stage, str) and stage not in {"", "$default"}
    return f"/{stage}" if named else ""
