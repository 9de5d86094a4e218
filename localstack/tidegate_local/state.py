"""The state file: what clients, tests and the other commands need to know of a cloud that is up."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tidegate_local.errors import StateError
from tidegate_local.files import write_atomically


class Outputs(dict[str, str]):
    """A stack's outputs; one that it doesn't have is said."""

    def __missing__(self, name: str) -> str:
        raise StateError(f"The stack that is up has no output {name}: `make up` deploys what the project is now.")


@dataclass(frozen=True)
class LocalState:
    """A cloud that is up.

    `api_url` has no trailing slash; `engine` is "embedded", "localstack-host", "localstack" or "external", and
    `software` what it is: "ministack" or "localstack"; `api_keys` maps a tier to its key's value; `pids` maps "redis"
    and "engine" to the processes that we run; `outputs` are the stack's; `deployed` is the fingerprint of the deployed
    sources and `stack_version` what the engine showed of the stack right after; `started_at` is ISO 8601.
    """

    api_url: str
    endpoint_url: str
    redis_url: str
    engine: str
    api_keys: Mapping[str, str]
    pids: Mapping[str, int]
    outputs: Mapping[str, str]
    started_at: str
    deployed: str
    stack_version: str
    versions: Mapping[str, str] = field(default_factory=dict)
    software: str = "ministack"

    def key(self, tier: str) -> str:
        """Return the API key of a tier.

        Raises:
            StateError: the stage has no such tier.
        """
        if tier not in self.api_keys:
            raise StateError(
                f"This needs the key of a tier {tier}, and the stage has {', '.join(self.api_keys) or 'none'}: give it "
                "that plan, too (infra/stages.py), and `make up`."
            )
        return self.api_keys[tier]

    def write(self, file: Path) -> None:
        """Replace the state file in one step."""
        write_atomically(file, asdict(self))

    @classmethod
    def read(cls, file: Path) -> "LocalState | None":
        """Return the state on file, None if there is none.

        Raises:
            StateError: the file is not a state of this version.
        """
        try:
            return _checked(cls(**json.loads(file.read_text())))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise StateError(
                f"{file} is not a state file of this version ({error}). `make down && make up` makes a new one."
            ) from error

    @classmethod
    def require(cls, file: Path) -> "LocalState":
        """Return the state on file.

        Raises:
            StateError: there is none.
        """
        state = cls.read(file)
        if state is None:
            raise StateError(f"The local cloud is not up ({file} does not exist). Start it with `make up`.")
        return state


_TEXTS = ("api_url", "endpoint_url", "redis_url", "engine", "started_at", "deployed", "stack_version", "software")
_TABLES: Mapping[str, type] = {"api_keys": str, "pids": int, "outputs": str, "versions": str}


def _checked(state: LocalState) -> LocalState:
    """See that each value is of its type, which JSON doesn't say; raises TypeError."""
    for name in _TEXTS:
        if not isinstance(getattr(state, name), str):
            raise TypeError(f"{name} is no text")
    for name, of in _TABLES.items():
        table = getattr(state, name)
        if not isinstance(table, dict) or not all(isinstance(value, of) for value in table.values()):
            raise TypeError(f"{name} is no table of {of.__name__}")
    return replace(state, outputs=Outputs(state.outputs))
