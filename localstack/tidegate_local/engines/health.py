"""What an engine says of itself: its health, and how its init scripts ended."""

from dataclasses import dataclass
from typing import Any

import httpx

from tidegate_local.engines.engine import Software
from tidegate_local.errors import StartError


@dataclass(frozen=True)
class Health:
    """The software behind an endpoint that speaks LocalStack's API, its version, and whether it is in a container."""

    software: Software
    version: str
    contained: bool = False


def ask(url: str, timeout_s: float) -> Health | str:
    """Return what an endpoint says of its health; a string is the reason why there is nothing."""
    told = _object(url, "/_localstack/health", timeout_s)
    if isinstance(told, str):
        return told
    # MiniStack answers in LocalStack's place; it calls itself the light edition.
    software: Software = "ministack" if told.get("edition") == "light" else "localstack"
    return Health(software, str(told.get("version", "?")), contained=_in_container(url, software, timeout_s))


def ready(url: str, timeout_s: float) -> Health | str:
    """Return LocalStack's health once its init scripts have run; a string is the reason why it isn't ready.

    Raises:
        StartError: one of the scripts failed: without it, aliases would be lost silently.
    """
    told = _object(url, "/_localstack/init", timeout_s)
    if isinstance(told, str):
        return told
    failed = [script["name"] for script in told.get("scripts", []) if script["state"] == "ERROR"]
    if failed:
        raise StartError(
            f"LocalStack's init script {', '.join(failed)} failed; its log says why. The scripts are for version "
            "4.14.0: if this is another one, take that."
        )
    return ask(url, timeout_s) if told.get("completed", {}).get("READY") else "its init scripts are at work"


def _in_container(url: str, software: Software, timeout_s: float) -> bool:
    if software == "ministack":
        return False
    told = _object(url, "/_localstack/info", timeout_s)
    return isinstance(told, dict) and bool(told.get("is_docker"))


def _object(url: str, path: str, timeout_s: float) -> dict[str, Any] | str:
    try:
        # trust_env off: a proxy must not stand between this and loopback.
        answer = httpx.get(f"{url}{path}", timeout=timeout_s, trust_env=False)
        answer.raise_for_status()
        told = answer.json()
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    except ValueError:
        return f"its {path} is not JSON"
    return told if isinstance(told, dict) else f"its {path} is not an object"
