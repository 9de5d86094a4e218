"""A release around two deploys that isn't finished: what whoever comes next needs to finish it, or to put it back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tidegate_local.errors import StateError
from tidegate_local.files import write_atomically


@dataclass(frozen=True)
class OpenRelease:
    """Written before the first deploy, removed after the second one.

    `id` names the machine's execution; `engine` is the endpoint and `stack` the CloudFormation stack's id that it is
    of; `template` and `order` are what was deployed before, both None at a stack's first deploy.
    """

    id: str
    engine: str
    stack: str | None
    template: Mapping[str, Any] | None
    order: Mapping[str, Any] | None

    def concerns(self, engine: str, stack: str | None) -> bool:
        """Whether it is of the stack that an engine has now (its id), and not of one that is gone."""
        return self.engine == engine and stack is not None and self.stack in {None, stack}

    def write(self, file: Path) -> None:
        """Keep it in one step."""
        write_atomically(file, asdict(self))

    @classmethod
    def read(cls, file: Path) -> "OpenRelease | None":
        """Return the one on file, None if there is none.

        Raises:
            StateError: the file is not one of this version.
        """
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise StateError(f"{file} can't be read ({error}). `make down && make up` starts anew.") from error
