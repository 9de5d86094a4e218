"""Where it is proven: what the steps ask for, on the embedded engine and on AWS."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from tidegate_local.releases.place import Place
from tidegate_local.scenarios.report import Report
from tidegate_local.state import LocalState


class Site(Protocol):
    """A place for a proof.

    `stage` is what `--stage` of the commands takes; `environ` is the environment of their processes; `folder` has the
    state file and the logs; `requests_per_s` is what its clients ask for during a release;
    `timed` says whether how long an answer takes proves something there.
    """

    name: str
    stage: str
    folder: Path
    environ: Mapping[str, str]
    requests_per_s: float
    timed: bool

    @property
    def state(self) -> LocalState:
        """The deployed API.

        Raises:
            ProofError: it isn't deployed.
        """

    def about(self) -> dict[str, str]:
        """Say what it is, for the report: engine, or account and region."""

    def preflight(self) -> str:
        """Look whether a deploy can work, before anything is made.

        Raises:
            ProofError: it can't; the message says why.
        """

    def deploy(self) -> str:
        """Deploy, and wait until the API answers.

        Raises:
            LocalCloudError: it can't be deployed, or doesn't answer.
        """

    def place(self) -> AbstractContextManager[Place]:
        """Open where its releases are."""

    def client(self, service: str) -> Any:
        """Make a client of a service."""

    def zone_cut(self) -> AbstractContextManager[None]:
        """Cut one zone off during the block, so that the cache fails over.

        Raises:
            NotRunError: it can't be done here.
        """

    def cache_cut(self) -> AbstractContextManager[None]:
        """Cut the functions off from the cache during the block.

        Raises:
            NotRunError: it can't be done here.
        """

    def demo(self) -> Report:
        """Play the demo of a Redis that is killed, hangs and comes back empty.

        Raises:
            NotRunError: it can't be done here.
        """

    def destroy(self) -> str:
        """Take away all that was made here, and nothing else.

        Raises:
            ProofError: something is left; the message names it.
        """
