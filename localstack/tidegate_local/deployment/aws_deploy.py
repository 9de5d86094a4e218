"""A deploy to an account on AWS: the preflight before it, and no protection of a stack that has never been whole."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError
from rich.console import Console
from rich.markup import escape

from tidegate_local.deployment.assembly import stack_of, synthesized, words_of
from tidegate_local.doctor import preflight
from tidegate_local.doctor.finding import Finding
from tidegate_local.errors import DeploymentError
from tidegate_local.releases.stage_names import context_in, context_of, stage_of
from tidegate_local.stacks.description import described, status_of
from tidegate_local.stacks.status import Standing, standing
from tidegate_local.toolchain import Toolchain

Client = Callable[[str], Any]
_NO_REGION = "No region is set: export AWS_REGION, such as eu-central-1, or give the profile one."
_FIRST = "first_deploy"
# With these it isn't the app as it stands here that is deployed, or nothing is.
_NOT_OURS = ("--app", "-a", "--help", "-h")


def is_of_aws(words: list[str]) -> bool:
    """Whether a CDK command deploys this app to a stage on AWS."""
    own = not set(words) & set(_NOT_OURS) and not any(word.startswith("--app=") for word in words)
    return own and words[0:1] == ["deploy"] and context_in(words).get("stage") == "aws"


def deploy(tools: Toolchain, words: Sequence[str], console: Console) -> int:
    """Run `cdk deploy` with these words after the preflight, and return its exit status.

    Raises:
        DeploymentError: the account lacks something, so nothing was changed in it.
    """
    context = context_in(words)
    region, client = session(_profile(words), context.get("region"))
    first = is_first(client, stack_of(context))
    if first and _FIRST not in context:
        context |= {_FIRST: "true"}
        console.print(
            "The first deploy: neither the stack nor its tables are protected yet, so that nothing is left of a create "
            "that fails. The next deploy protects them.",
            soft_wrap=True,
        )
    with synthesized(tools, context) as assembly:
        found = list(preflight.findings(assembly.facts, region, client))
        require(found, stage_of(context), console)
        return tools.run_cdk([*words, "--app", str(assembly.folder)])


def release(tools: Toolchain, stage: str, way: Mapping[str, str], console: Console) -> int:
    """Deploy a stage by its name (`aws`, `aws-staging`), as a release that goes `way`."""
    context = {**context_of(stage), **way}
    return deploy(tools, ["deploy", "--all", *words_of(context), "--require-approval", "never"], console)


def look(tools: Toolchain, context: Mapping[str, str]) -> list[Finding]:
    """Synthesize a stage's stack, and judge the account that a deploy of it would go to.

    Raises:
        DeploymentError: it can't be synthesized, or no region is set.
    """
    region, client = session(None, context.get("region"))
    with synthesized(tools, context) as assembly:
        return list(preflight.findings(assembly.facts, region, client))


def require(found: Sequence[Finding], stage: str, console: Console) -> None:
    """Show what is no more than worth knowing, and refuse what would fail.

    Raises:
        DeploymentError: a finding is a failure.
    """
    for one in found:
        if one.grade == "warning":
            told = f"[yellow]warning:[/yellow] {escape(f'{one.subject}: {one.found}. {one.mend}')}"
            console.print(told, soft_wrap=True, highlight=False)
    failures = [f"{one.subject}: {one.found}. {one.mend}" for one in found if one.grade == "failure"]
    if failures:
        again = f"`tidegate doctor --stage {stage}` looks again."
        raise DeploymentError("\n".join(["The deploy would fail, so it wasn't begun.", *failures, again]))


def is_first(client: Client, stack: str) -> bool:
    """Whether a stack has never been whole."""
    return standing(status_of(described(client("cloudformation"), stack))) in {Standing.ABSENT, Standing.HALF_MADE}


def session(profile: str | None, region: str | None) -> tuple[str, Client]:
    """Return the region of a deploy, and boto3's clients there by service.

    Raises:
        DeploymentError: there is no such profile, or no region.
    """
    try:
        opened = boto3.Session(profile_name=profile, region_name=region)
    except BotoCoreError as error:
        raise DeploymentError(f"{error}. Correct AWS_PROFILE, or unset it.") from error
    if not opened.region_name:
        raise DeploymentError(_NO_REGION)
    client: Any = cache(opened.client)
    return opened.region_name, client


def _profile(words: Sequence[str]) -> str | None:
    given = {word.partition("=")[0]: word.partition("=")[2] for word in words if word.startswith("--profile=")}
    following = dict(pairwise(words)).get("--profile")
    return given.get("--profile") or following
