"""Arguments of a ProtectedApi that would be left out unsaid, or be found wrong by AWS alone."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from tidegate_cdk.api.operations import Operations
from tidegate_cdk.setting_error import SettingError

# Lambda takes no longer name of a function, and these are the ends of those that are made.
_MOST_LETTERS = 64
_LAST_NAMES = ("api", "worker", "migrate", "rollout", "judge", "hook")


def check_lists(**given: object) -> None:
    """Refuse one thing where several are taken; raises SettingError."""
    for name, value in given.items():
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise SettingError(f"{name} is one thing: write a list of it")


def check_heard(unreleased: bool, **given: object) -> None:  # noqa: FBT001 - it is what the others are for
    """Refuse what is a release's where there is none; raises SettingError."""
    if said := [name for name, value in given.items() if value and unreleased]:
        raise SettingError(
            f"{' and '.join(said)} are a release's, and release is None: leave them away, or give a release"
        )


def check_told(unobserved: bool, operations: Operations | None) -> None:  # noqa: FBT001 - see above
    """Refuse who is told of alarms where there are none; raises SettingError."""
    if unobserved and operations and operations != Operations():
        raise SettingError(
            "operations are told by alarms, and observability is None: leave them away, or give Thresholds()"
        )


def check_alarms(names: Sequence[str], observability: Construct) -> None:
    """Refuse alarms of a release which nothing makes, since they would never ring; raises SettingError."""
    made = [one.node.id for one in observability.node.find_all() if isinstance(one, cloudwatch.Alarm)]
    if wrong := [name for name in names if name not in made]:
        raise SettingError(f"rollout has alarms with {', '.join(wrong)}: write some of {', '.join(made)}")


def check_alone(api: Construct) -> None:
    """Refuse a second one in a stack; raises SettingError."""
    stack = Stack.of(api)
    others = [one for one in stack.node.find_all() if isinstance(one, type(api)) and one.node.path != api.node.path]
    if others:
        raise SettingError(
            f"{stack.stack_name} has {others[0].node.id} already, and functions are named after their stack: make a "
            f"stack of its own for {api.node.id}"
        )


def check_stack_name(api: Construct) -> None:
    """Refuse a stack whose name leaves none for its functions; raises SettingError."""
    name, most = Stack.of(api).stack_name, _MOST_LETTERS - 1 - max(map(len, _LAST_NAMES))
    if len(name) > most:
        raise SettingError(
            f"the stack is called {name}, and functions are named after it: write a stack_name of at most {most} "
            "letters"
        )
