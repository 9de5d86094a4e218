"""What is left of a caller's limits, and which tier's key a principal is."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from tidegate_local import dev
from tidegate_local.errors import LocalCloudError
from tidegate_local.layout import project_folder
from tidegate_local.stacks import api_keys
from tidegate_local.state import LocalState
from tidegate_local.telemetry.figures import Asked

_ENDS_WITHIN_S = 5.0


@dataclass(frozen=True)
class Remaining:
    """Units left by (principal, method, route); the names of principals that are the cloud's own API keys."""

    left: Mapping[tuple[str, str, str], int]
    names: Mapping[str, str]


class LimitsReader:
    """Asks the application itself, in a process that has its code, settings and stores."""

    def __init__(self, state: LocalState, questions: IO[str], answers: IO[str]) -> None:
        self._state = state
        self._questions = questions
        self._answers = answers

    @classmethod
    @contextmanager
    def opened(cls, state: LocalState) -> Iterator["LimitsReader"]:
        """Run that process during the block.

        Raises:
            LocalCloudError: the engine doesn't know the function.
        """
        environ = {**dev.environment(state), "POWERTOOLS_METRICS_DISABLED": "true", "TIDEGATE_RELEASE": "console"}
        with subprocess.Popen(  # noqa: S603 - our own module, and the project's
            [sys.executable, "-m", "tidegate_local.telemetry.peeking", dev.application()],
            cwd=project_folder(),
            env={**environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Ctrl-C on the terminal is for the console, which ends it by its input.
            start_new_session=True,
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise AssertionError("both are pipes")
            try:
                yield cls(state, process.stdin, process.stdout)
            finally:
                process.stdin.close()
                try:
                    process.wait(_ENDS_WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()

    def read(self, callers: Sequence[Asked]) -> Remaining:
        """Return what is left to each of them now.

        Raises:
            LocalCloudError: the process has ended.
        """
        whose = [(one.principal, one.method, one.route) for one in callers]
        asked = [(principal, method, _path(route)) for principal, method, route in whose]
        try:
            self._questions.write(json.dumps({"keys": dict(self._state.api_keys), "asked": asked}) + "\n")
            self._questions.flush()
            said = json.loads(self._answers.readline())
        except (OSError, ValueError) as error:
            raise LocalCloudError("The application does not start here: `make dev` says why.") from error
        left = {who: units for who, units in zip(whose, said["left"], strict=True) if units is not None}
        # Engines whose events carry a key's id have it in the principal.
        ids = {f"key:{self._state.outputs[api_keys.output_of(tier)]}": tier for tier in self._state.api_keys}
        return Remaining(left, {**ids, **said["names"]})


def _path(route: str) -> str:
    """A path that the route matches: its limits are the same whatever its parameters are."""
    return re.sub(r"\{[^}]*\}", "-", route)
