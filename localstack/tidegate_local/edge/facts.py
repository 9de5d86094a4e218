"""What a deployed API's edge lets through, and how it answers, as the engine's API Gateway tells it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.errors import LocalCloudError
from tidegate_local.files import write_atomically
from tidegate_local.state import LocalState

_HEADER = "gatewayresponse.header."
_JSON = "application/json"
_A_PAGE = 500


@dataclass(frozen=True)
class Rate:
    """A bucket's refill in requests a second, and how many it holds."""

    per_s: float
    burst: float


@dataclass(frozen=True)
class Plan:
    """A key's usage plan: its rate, None: it has none; and its requests a day, None: any number."""

    name: str
    rate: Rate | None
    per_day: int | None


@dataclass(frozen=True)
class Answer:
    """An answer of the edge's own; `body` is a template with $context.requestId in it."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class EdgeFacts:
    """An API's edge.

    `methods` says, by resource path and verb (or ANY), whether a key is needed; `plans` are by the keys' values,
    `rates` by path with the verb (`*/*`: all others), `answers` by API Gateway's types of responses.
    """

    methods: Mapping[str, Mapping[str, bool]]
    plans: Mapping[str, Plan]
    rates: Mapping[str, Rate]
    answers: Mapping[str, Answer]

    def write(self, file: Path) -> None:
        """Replace the file, which only its owner can read: keys are in it."""
        write_atomically(file, asdict(self))

    @classmethod
    def read(cls, file: Path) -> "EdgeFacts":
        """Read them as they were written."""
        stored = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            stored["methods"],
            {
                key: Plan(one["name"], one["rate"] and Rate(**one["rate"]), one["per_day"])
                for key, one in stored["plans"].items()
            },
            {place: Rate(**rate) for place, rate in stored["rates"].items()},
            {kind: Answer(**answer) for kind, answer in stored["answers"].items()},
        )

    @classmethod
    def of(cls, state: LocalState) -> "EdgeFacts":
        """Ask the engine.

        Raises:
            LocalCloudError: it doesn't know the API.
        """
        api, stage = state.outputs["ApiId"], state.outputs["StageName"]
        try:
            with closing(cloud.client("apigateway", state.endpoint_url)) as gateway:
                return cls(
                    _methods(gateway.get_resources(restApiId=api, embed=["methods"], limit=_A_PAGE)["items"]),
                    dict(_plans(gateway, api, stage)),
                    _rates(gateway.get_stage(restApiId=api, stageName=stage).get("methodSettings", {})),
                    _answers(gateway.get_gateway_responses(restApiId=api)["items"]),
                )
        except (BotoCoreError, ClientError) as error:
            raise LocalCloudError(f"The engine doesn't show the edge of the API ({error}). Run `make up`.") from error


def _methods(resources: list[dict[str, Any]]) -> dict[str, dict[str, bool]]:
    return {
        resource["path"]: {
            verb: bool(method.get("apiKeyRequired")) for verb, method in resource.get("resourceMethods", {}).items()
        }
        for resource in resources
    }


def _plans(gateway: Any, api: str, stage: str) -> Iterator[tuple[str, Plan]]:
    for page in gateway.get_paginator("get_usage_plans").paginate():
        for plan in page["items"]:
            if not any((one["apiId"], one["stage"]) == (api, stage) for one in plan.get("apiStages", [])):
                continue
            throttle, quota = plan.get("throttle") or {}, plan.get("quota") or {}
            rate = Rate(throttle["rateLimit"], throttle["burstLimit"]) if throttle else None
            for key in gateway.get_usage_plan_keys(usagePlanId=plan["id"], limit=_A_PAGE)["items"]:
                found = gateway.get_api_key(apiKey=key["id"], includeValue=True)
                if found.get("enabled", True):
                    yield found["value"], Plan(plan["name"], rate, quota.get("limit"))


def _rates(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Rate]:
    """Read a stage's settings, whose paths are written with or without `~1` for each slash."""
    found = {}
    for place, setting in settings.items():
        path, _, verb = place.rpartition("/")
        plain = path if path == "*" else f"/{path.replace('~1', '/').strip('/')}"
        if "throttlingRateLimit" in setting:
            found[f"{plain}/{verb}"] = Rate(setting["throttlingRateLimit"], setting["throttlingBurstLimit"])
    return found


def _answers(responses: list[dict[str, Any]]) -> dict[str, Answer]:
    return {
        one["responseType"]: Answer(
            int(one["statusCode"]),
            {
                name.removeprefix(_HEADER): value.strip("'")
                for name, value in one.get("responseParameters", {}).items()
                if name.startswith(_HEADER)
            },
            one["responseTemplates"][_JSON],
        )
        for one in responses
        if one.get("statusCode") and _JSON in one.get("responseTemplates", {})
    }
