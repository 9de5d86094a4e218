"""Where releases happen, and how one that runs is taken back or let go on."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.errors import ReleaseError
from tidegate_local.releases import advice
from tidegate_local.releases.item import ReleaseItem, Releases
from tidegate_local.releases.stage_names import context_of, stack_name
from tidegate_local.stacks.description import described, outputs_of
from tidegate_local.state import LocalState

_DOCTOR = "see `make doctor`."
Outputs = Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """Where releases happen: a stack's outputs, its stage, and clients by service."""

    outputs: Outputs
    stage: str
    client: Callable[[str], Any]

    @property
    def stack(self) -> str:
        """Its stack's name."""
        return stack_name(self.stage)

    def output(self, name: str) -> str:
        """Return an output of its stack.

        Raises:
            ReleaseError: the stack has none of that name.
        """
        if name not in self.outputs:
            raise ReleaseError(
                f"{self.stack} has no output {name}, so nothing was released there yet. Next: "
                f"{advice.typed('release', self.stage)}"
            )
        return self.outputs[name]

    def releases(self) -> Releases:
        """Return the reader of its releases.

        Raises:
            ReleaseError: the stack has no table.
        """
        return Releases(self.client("dynamodb"), self.output("TidegateTable"), self.stage)


@contextmanager
def local_place(state: LocalState) -> Iterator[Place]:
    """The local cloud that is up."""
    with ExitStack() as clients:
        # One each: whoever watches a release asks twice a second, and each client holds megabytes.
        @cache
        def client(service: str) -> Any:
            return clients.enter_context(closing(cloud.client(service, state.endpoint_url)))

        yield Place(state.outputs, "local", client)


@contextmanager
def aws_place(stage: str) -> Iterator[Place]:
    """A stage on AWS, by the environment's own credentials.

    Raises:
        ReleaseError: there is no such stack.
    """
    name = stack_name(stage)
    try:
        client: Any = cache(boto3.Session().client)
        found = described(client("cloudformation"), name)
    except (BotoCoreError, ClientError) as error:
        raise ReleaseError(f"The stack {name} can't be read: {error}\nThe account's credentials: {_DOCTOR}") from error
    if found is None:
        words = " ".join(f"-c {key}={value}" for key, value in context_of(stage).items())
        raise ReleaseError(
            f"There is no stack {name} in this account and region. Deploy it (`tidegate cdk deploy {words}`), with "
            f"credentials of its account: {_DOCTOR}"
        )
    yield Place(outputs_of(found), stage, client)


def latest(place: Place | None) -> ReleaseItem | None:
    """Return a place's release that runs, or the last one; None: there is none, or it can't be asked just now."""
    if place is None or "TidegateTable" not in place.outputs:
        return None
    with suppress(BotoCoreError, ClientError):  # it is asked again in a moment
        return place.releases().latest()
    return None
