"""A hook's failure, reported to CodeDeploy by the standard library alone, signed with AWS Signature Version 4.

Source: "Create a signed AWS API request", IAM User Guide.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

_SERVICE = "codedeploy"
_TARGET = "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus"
_TYPE = "application/x-amz-json-1.1"
_TIMEOUT_S = 20


def refuse(event: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Report to CodeDeploy that the hook of an event failed, with the function's own credentials."""
    with urllib.request.urlopen(refusal(event, environ, datetime.now(UTC)), timeout=_TIMEOUT_S):  # noqa: S310  # AWS's
        pass


def refusal(event: Mapping[str, Any], environ: Mapping[str, str], now: datetime) -> urllib.request.Request:
    """Return the signed request of that report."""
    region = environ["AWS_REGION"]
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = environ.get("AWS_ENDPOINT_URL") or f"https://{_SERVICE}.{region}.{suffix}/"
    body = json.dumps(
        {
            "deploymentId": event["DeploymentId"],
            "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
            "status": "Failed",
        }
    ).encode()
    headers = {
        "content-type": _TYPE,
        "host": urlsplit(url).netloc,
        "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
        "x-amz-target": _TARGET,
    }
    if token := environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    headers["authorization"] = _authorization(headers, body, region, environ)
    return urllib.request.Request(url, data=body, method="POST", headers=headers)  # noqa: S310  # AWS's, or an engine's


def _authorization(headers: Mapping[str, str], body: bytes, region: str, environ: Mapping[str, str]) -> str:
    names = sorted(headers)
    signed = ";".join(names)
    canonical_headers = "".join(f"{name}:{headers[name]}\n" for name in names)
    canonical = f"POST\n/\n\n{canonical_headers}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    day = headers["x-amz-date"][:8]
    scope = f"{day}/{region}/{_SERVICE}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (day, region, _SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return (
        f"AWS4-HMAC-SHA256 Credential={environ['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={signed}, "
        f"Signature={signature}"
    )
