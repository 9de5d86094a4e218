"""What the engines don't do as AWS does, and what Tidegate does about it. Measured by calls, not read in their docs."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Gap:
    """One thing that differs from AWS; `instead` is what Tidegate does, or what you have to know."""

    name: str
    what: str
    instead: str


EDGE_THROTTLES = "edge throttles"
_ALARMS = "A canary is judged on what the application counts itself; the local stage has no alarms and no dashboard."
_DEADLINES = Gap(
    "integration timeout",
    "API Gateway's integration timeout is not enforced.",
    "The function's own timeout is, and the deadline is the library's.",
)
_WEIGHTS = Gap(
    "alias weights",
    "Alias weights are stored, but every call runs the alias's main version.",
    "Tidegate's own MiniStack is hooked so that it splits the traffic; one given by --endpoint doesn't.",
)
_MINISTACK = (
    _WEIGHTS,
    Gap(
        "API key ids",
        "A function's event has no id of the API key.",
        "The local stage tells clients apart by a keyed hash of the x-api-key header.",
    ),
    Gap(
        "source IPs",
        "The source IP is taken from X-Forwarded-For, which a client can forge.",
        "Nothing: on AWS it can't be forged.",
    ),
    Gap("metrics and alarms", "No metrics are taken out of the logs; alarms on expressions never ring.", _ALARMS),
    Gap(
        "refused resources",
        "ElastiCache Serverless, CodeDeploy, WAF associations and application auto scaling are refused.",
        "The local stage has none of them; its Redis is a process beside the engine.",
    ),
    Gap("TTL", "Items are not deleted when their time is over.", "The library compares the times itself."),
    _DEADLINES,
)
_LOCALSTACK = (
    Gap(
        EDGE_THROTTLES,
        "Throttles of the stage, of methods and of usage plans, and quotas, are stored and never enforced.",
        "The library's own limits hold. Tests of the edge's throttles are skipped.",
    ),
    Gap(
        "custom resources",
        "CloudFormation's custom resources, and types that it doesn't know, are taken for made; nothing has run.",
        "An init script makes them errors. The template has none there; `tidegate release` runs the same state machine "
        "around two deploys.",
    ),
    Gap("layers", "Layers are recorded and not loaded.", "Each function's zip carries what the layers hold."),
    Gap(
        "alias updates",
        "UpdateAlias with weights fails, and CloudFormation replaces and loses an alias with weights.",
        "Init scripts mend both inside the engine (localstack/init/start.d).",
    ),
    Gap(
        "stored settings",
        "Gateway responses' bodies and headers, and a function's own log group, are stored and not used; "
        "GetFunctionConfiguration doesn't know aliases.",
        "Init scripts mend all three.",
    ),
    Gap("metrics and alarms", "Percentiles of CloudWatch fail; alarms ring or don't.", _ALARMS),
    Gap("HTTP APIs", "There are no HTTP APIs (v2).", "Nothing: Tidegate's is a REST API, with keys and usage plans."),
    Gap(
        "reserved concurrency",
        "A call beyond it waits at API Gateway, or is answered 502 if it is zero; AWS says 429.",
        "Nothing: the local stage reserves none.",
    ),
    _DEADLINES,
)
_OURS = (
    Gap(
        "Lambda",
        "Lambda starts containers by the host's Docker.",
        "A runtime executor of ours runs each environment as a process (localstack/process_executor).",
    ),
    Gap(
        "DynamoDB",
        "DynamoDB needs Java and a download.",
        "moto's stands in, one call at a time: exact, a few hundred a second (localstack/host_mode).",
    ),
)
_CONTAINERS = (
    Gap(
        "Redis",
        "Redis is a container: a scenario can't kill or hang it as it does a process.",
        "`docker compose kill` or `pause` does, or REDIS_URL names one that containers reach, too.",
    ),
)

# By the name that --engine takes.
GAPS: Mapping[str, tuple[Gap, ...]] = MappingProxyType(
    {
        "embedded": _MINISTACK,
        "localstack-host": (*_LOCALSTACK, *_OURS),
        "localstack": (*_LOCALSTACK, *_OURS, *_CONTAINERS),
    }
)


def of(engine: str, software: str) -> tuple[Gap, ...]:
    """Return an engine's gaps; an external one has those of its software, and AWS itself has none."""
    if software == "aws":
        return ()
    return GAPS.get(engine, _MINISTACK if software == "ministack" else _LOCALSTACK)
