"""A stage's name at the command line, and in CDK's context: `aws-staging` is `-c stage=aws -c env=staging`."""

import re
from collections.abc import Mapping, Sequence

from tidegate_local.project_facts import ProjectFacts

_CONTEXT = re.compile(r"(?:--context=|-c)?(?P<name>[a-z_]+)=(?P<value>.*)", re.DOTALL)


def context_of(stage: str) -> dict[str, str]:
    """Return the CDK context of a stage and, if its name has one, its environment."""
    kind, _, env = stage.partition("-")
    return {"stage": kind, **({"env": env} if env else {})}


def stage_of(context: Mapping[str, str]) -> str:
    """Return the name of a stage with its environment, by the CDK context."""
    return "-".join(filter(None, [context.get("stage", "local"), context.get("env")]))


def context_in(words: Sequence[str]) -> dict[str, str]:
    """Return the context that a CDK command's words give."""
    given: dict[str, str] = {}
    following = ""
    for word in words:
        if following in {"-c", "--context"} or word.startswith(("--context=", "-c")):
            found = _CONTEXT.fullmatch(word)
            if found:
                given[found["name"]] = found["value"]
        following = word
    return given


def stack_name(stage: str) -> str:
    """Name the project's stack of a stage."""
    return f"{ProjectFacts.read().stack}-{stage}"


def local_stack() -> str:
    """Name the project's stack on the local cloud."""
    return stack_name("local")
