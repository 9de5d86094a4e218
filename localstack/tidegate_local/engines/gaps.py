"""What the engines don't do as AWS does, and what Tidegate does about it. Measured by calls, not read in their docs."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Gap:
    """One thing that differs from AWS; `instead` is what Tidegate does, or what you have to know."""

    what: str
    instead: str


_MINISTACK = (
    Gap(
        "Alias weights are stored, but every call runs the alias's main version.",
        "Tidegate's own MiniStack is hooked so that it splits the traffic; one that is given by --endpoint doesn't.",
    ),
    Gap(
        "A function's event has no id of the API key.",
        "The local stage tells clients apart by a keyed hash of the x-api-key header.",
    ),
    Gap("The source IP is taken from X-Forwarded-For, which a client can forge.", "Nothing: on AWS it can't be."),
    Gap(
        "No metrics are taken out of the logs; alarms on expressions never ring.",
        "A canary is judged on what the application counts itself; the local stage has no alarms and no dashboard.",
    ),
    Gap(
        "ElastiCache Serverless, CodeDeploy, WAF associations and application auto scaling are refused.",
        "The local stage has none of them; its Redis is a process beside the engine.",
    ),
    Gap("Items are not deleted when their time is over (TTL).", "The library compares the times itself."),
    Gap("The integration's timeout is not enforced.", "The function's own timeout is; the deadline is the library's."),
)
_LOCALSTACK = (
    Gap(
        "Throttles of the stage, of methods and of usage plans, and quotas, are stored and never enforced.",
        "The library's own limits hold. Tests of the edge's throttles are skipped, with this reason.",
    ),
    Gap(
        "CloudFormation's custom resources, and types that it doesn't know, are taken for made; nothing has run.",
        "An init script makes them errors. The template has none there; `tidegate release` runs the same state machine "
        "around two deploys.",
    ),
    Gap(
        "Layers are recorded and not loaded.",
        "Each function's zip carries what the layers hold.",
    ),
    Gap(
        "UpdateAlias with weights fails, and CloudFormation replaces and loses an alias with weights.",
        "Init scripts mend both inside the engine (localstack/init/start.d).",
    ),
    Gap(
        "Percentiles of CloudWatch fail; alarms ring or don't.",
        "A canary is judged on what the application counts itself; the local stage has no alarms and no dashboard.",
    ),
    Gap("There are no HTTP APIs (v2).", "Nothing: Tidegate's is a REST API, which has keys and usage plans."),
    Gap(
        "A call beyond the reserved concurrency waits at API Gateway, or is answered 502 if it is zero; AWS says 429.",
        "Nothing: the local stage reserves none.",
    ),
    Gap("The integration's timeout is not enforced.", "The function's own timeout is; the deadline is the library's."),
)
_HOST_MODE = (
    Gap(
        "Lambda needs Docker.",
        "A runtime executor of ours runs each environment as a process (localstack/process_executor).",
    ),
    Gap(
        "DynamoDB needs Java and a download.",
        "moto's DynamoDB stands in, one call at a time: exact, a few hundred a second, and a retried transaction's "
        "ClientRequestToken is not recognised.",
    ),
)
_CONTAINERS = (
    Gap(
        "It needs Docker, and it has not been run where this was written, which has none.",
        "ENGINE=localstack-host runs the same LocalStack without Docker.",
    ),
    Gap(
        "Redis is a container: a scenario can't kill or hang it as it does a process.",
        "Use `docker compose kill` or `pause`, or another engine.",
    ),
)

# By the name that --engine takes; an endpoint of somebody else's has the gaps of its software.
GAPS: Mapping[str, tuple[Gap, ...]] = MappingProxyType(
    {
        "embedded": _MINISTACK,
        "localstack-host": (*_LOCALSTACK, *_HOST_MODE),
        "localstack": (*_LOCALSTACK, *_CONTAINERS),
        "ministack": _MINISTACK,
    }
)
