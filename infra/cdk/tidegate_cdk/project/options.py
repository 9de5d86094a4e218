"""A deployment's own settings, by CDK's context: `-c env=staging`, `-c reserved_concurrency=50` and the like.

They are for stages on AWS; the settings that all deployments of a stage share are in stages.py.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from tidegate_cdk.api.cors import Cors
from tidegate_cdk.api.edge import Domain
from tidegate_cdk.project.stages import LOCAL, Stage
from tidegate_cdk.project.tokens import Tokens
from tidegate_cdk.setting_error import SettingError

Context = Callable[[str], object]

# ElastiCache takes 40 characters for a user's id, and the environment is a part of it.
_ENV = re.compile(r"[a-z][a-z0-9]{0,11}")
_ACCOUNT = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
# Lambda's own: a function without any environment can't run.
_LEAST_CONCURRENCY = 2
WITHOUT = "none"


def with_options(stage: Stage, context: Context) -> Stage:
    """Adapt a stage to the options of the CDK context.

    Raises:
        SettingError: an option has no such value, or the stage takes none; the message says what to write instead.
    """
    given = {name: str(value) for name in NAMES if (value := context(name)) not in {None, ""}}
    if given and stage.name == LOCAL.name:
        raise SettingError(f"stage {stage.name} takes no {next(iter(given))}: leave it away, or write -c stage=aws")
    for name, option in OPTIONS.items():
        if name in given:
            stage = option(stage, given[name])
    return _with_tokens(_in_domain(stage, given), given)


def _environment(stage: Stage, env: str) -> Stage:
    if not _ENV.fullmatch(env):
        raise SettingError(
            f"env is {env!r}: write lower-case letters and digits, a letter first, at most 12, such as -c env=staging"
        )
    return replace(stage, name=f"{stage.name}-{env}", env=env)


def _account(stage: Stage, account: str) -> Stage:
    return replace(stage, account=_matching("account", account, _ACCOUNT, "12 digits, such as 123456789012"))


def _region(stage: Stage, region: str) -> Stage:
    return replace(stage, region=_matching("region", region, _REGION, "a region's code, such as eu-central-1"))


def _reserved_concurrency(stage: Stage, number: str) -> Stage:
    if number == WITHOUT:
        return replace(stage, reserved_concurrency=None)
    if not number.isdigit() or int(number) < _LEAST_CONCURRENCY:
        raise SettingError(
            f"reserved_concurrency is {number!r}: write a whole number of {_LEAST_CONCURRENCY} or more, at most the "
            f"account's quota less 100, or {WITHOUT}, which leaves the API in the account's common pool"
        )
    return replace(stage, reserved_concurrency=int(number))


def _first_deploy(stage: Stage, word: str) -> Stage:
    return replace(stage, first_deploy=_true_or_false("first_deploy", word))


def _cors(stage: Stage, origins: str) -> Stage:
    return replace(stage, cors=Cors(tuple(origins.split(","))))


def _tracing(stage: Stage, word: str) -> Stage:
    return replace(stage, edge=replace(stage.edge, tracing=_true_or_false("tracing", word)))


def _user_pool(stage: Stage, arns: str) -> Stage:
    return replace(stage, edge=replace(stage.edge, user_pools=tuple(arns.split(","))))


def _iam(stage: Stage, word: str) -> Stage:
    return replace(stage, edge=replace(stage.edge, iam=_true_or_false("iam", word)))


def _async_refresh(stage: Stage, word: str) -> Stage:
    return replace(stage, async_refresh=_true_or_false("async_refresh", word))


def _alarm_email(stage: Stage, address: str) -> Stage:
    return replace(stage, operations=replace(stage.operations, email=address))


def _alarm_topic(stage: Stage, arn: str) -> Stage:
    return replace(stage, operations=replace(stage.operations, topic_arn=arn))


def _budget(stage: Stage, usd: str) -> Stage:
    if not usd.isdigit():
        raise SettingError(f"budget is {usd!r}: write whole US dollars a month, such as -c budget=100")
    return replace(stage, operations=replace(stage.operations, budget_usd=int(usd)))


def _in_domain(stage: Stage, given: Mapping[str, str]) -> Stage:
    """Give the API the name that three options make up."""
    named = {name: given[name] for name in _DOMAIN if name in given}
    if not named:
        return stage
    missing = [name for name in ("domain", "certificate") if name not in named]
    if missing:
        raise SettingError(
            f"{' and '.join(named)} without {' and '.join(missing)}: write -c domain=api.example.com "
            "-c certificate=ARN, and -c zone=ID where Route 53 is to name it"
        )
    domain = Domain(named["domain"], named["certificate"], named.get("zone"))
    return replace(stage, edge=replace(stage.edge, domain=domain))


def _with_tokens(stage: Stage, given: Mapping[str, str]) -> Stage:
    """Have the edge ask for the tokens that three options make up."""
    named = {name: given[name] for name in _TOKENS if name in given}
    if not named:
        return stage
    missing = [name for name in ("issuer", "audience") if name not in named]
    if missing:
        raise SettingError(
            f"{' and '.join(named)} without {' and '.join(missing)}: write -c issuer=https://login.example.com "
            "-c audience=https://api.example.com, and -c algorithms=ES256 where it signs by others than RS256 and ES256"
        )
    tokens = Tokens(named["issuer"], tuple(named["audience"].split(",")))
    if "algorithms" in named:
        tokens = replace(tokens, algorithms=tuple(named["algorithms"].split(",")))
    return replace(stage, tokens=tokens)


def _matching(name: str, value: str, pattern: re.Pattern[str], what: str) -> str:
    if not pattern.fullmatch(value):
        raise SettingError(f"{name} is {value!r}: write {what}")
    return value


def _true_or_false(name: str, word: str) -> bool:
    if word.lower() not in {"true", "false"}:
        raise SettingError(f"{name} is {word!r}: write true or false")
    return word.lower() == "true"


OPTIONS: Mapping[str, Callable[[Stage, str], Stage]] = MappingProxyType(
    {
        "env": _environment,
        "account": _account,
        "region": _region,
        "reserved_concurrency": _reserved_concurrency,
        "first_deploy": _first_deploy,
        "cors": _cors,
        "tracing": _tracing,
        "user_pool": _user_pool,
        "iam": _iam,
        "async_refresh": _async_refresh,
        "alarm_email": _alarm_email,
        "alarm_topic": _alarm_topic,
        "budget": _budget,
    }
)
_DOMAIN = ("domain", "certificate", "zone")
_TOKENS = ("issuer", "audience", "algorithms")
NAMES = (*OPTIONS, *_DOMAIN, *_TOKENS)
