"""Errors that AWS's clients would only raise at the first request, found at start without loading them.

Source: "Configuration and credential file settings" and "Environment variables", AWS SDKs and tools reference guide.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tidegate.errors import ConfigurationError
from tidegate.extras import need

if TYPE_CHECKING:
    from tidegate.settings import Settings

# A queue's host contains its region, except with local engines and private endpoints.
_QUEUE_HOST = re.compile(r"(?:sqs(?:-fips)?\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.(?:amazonaws\.com|api\.aws)(?:\.cn)?")
_ENDPOINTS = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL")


def check_aws(settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Refuse settings for which no client can be made, or with which all of its calls would fail.

    Args:
        settings: those in force.
        environ: AWS's own variables.

    Raises:
        ConfigurationError: such a setting; the error names the variable, and what to write.
    """
    if not (settings.table or settings.queue_url or settings.redis_iam_user):
        return
    wanted_by = {"TABLE": settings.table, "QUEUE_URL": settings.queue_url, "REDIS_IAM_USER": settings.redis_iam_user}
    need("botocore", "aws", next(f"TIDEGATE_{name}" for name, value in wanted_by.items() if value))
    if settings.redis_iam_user:
        _check_sign_in(settings.redis_url)
    for variable in _ENDPOINTS:
        _check_endpoint(variable, environ.get(variable, "").strip())
    region = settings.region or _region_of_botocore(environ)
    if region is None:
        raise ConfigurationError(
            "AWS_REGION",
            "neither it nor AWS_DEFAULT_REGION is set, nor has the profile a region; write one such as eu-central-1",
        )
    for variable, place, named in _places(settings):
        if named is not None and named != region:
            raise ConfigurationError(
                variable,
                f"{place} is in {named}, and requests go to {region}; write AWS_REGION={named}, or another one",
            )


def _check_sign_in(redis_url: str | None) -> None:
    if redis_url is None:
        raise ConfigurationError(
            "TIDEGATE_REDIS_IAM_USER", "there is no Redis to sign in to; set TIDEGATE_REDIS_URL, too"
        )
    if not redis_url.startswith("rediss://"):
        raise ConfigurationError(
            "TIDEGATE_REDIS_URL", "ElastiCache takes tokens of IAM over TLS alone; write rediss://HOST:6379"
        )


def _check_endpoint(variable: str, url: str) -> None:
    if not url:
        return
    try:
        parts = urlsplit(url)
        well = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port in words, or out of range
        well = False
    if not well:
        raise ConfigurationError(variable, "this is no endpoint; write its URL, such as http://127.0.0.1:4566")


def _places(settings: Settings) -> list[tuple[str, str, str | None]]:
    """Return the resources that may have a region in their name: the variable, the resource's kind, its region."""
    table = settings.table or ""
    of_table = table.split(":")[3] if table.startswith("arn:") else None
    queues = (("TIDEGATE_QUEUE_URL", settings.queue_url), ("TIDEGATE_DEAD_LETTER_URL", settings.dead_letter_url))
    of_queues = [(variable, "the queue", _region_of_queue(url)) for variable, url in queues if url]
    return [("TIDEGATE_TABLE", "the table", of_table), *of_queues]


def _region_of_queue(url: str) -> str | None:
    found = _QUEUE_HOST.fullmatch(urlsplit(url).hostname or "")
    return None if found is None else found.group(1) or found.group(2)


def _region_of_botocore(environ: Mapping[str, str]) -> str | None:
    """Return the region that botocore would use: AWS_DEFAULT_REGION's, else the profile's."""
    if environ.get("AWS_DEFAULT_REGION"):
        return environ["AWS_DEFAULT_REGION"]
    from configparser import Error, RawConfigParser  # noqa: PLC0415  only if no variable has it
    from pathlib import Path  # noqa: PLC0415  as above

    profile = environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE") or "default"
    section = profile if profile == "default" else f"profile {profile}"
    found = RawConfigParser()
    try:
        found.read(Path(environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser(), encoding="utf-8")
    except (Error, OSError, UnicodeDecodeError, RuntimeError):
        return None
    return found.get(section, "region", fallback="") or None
