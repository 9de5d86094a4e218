"""What was swapped in a cloud, on record from before the first swap until a deploy: the way back to what it had."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tidegate_local.errors import StateError
from tidegate_local.files import write_atomically

# A file's digest by its path in an archive.
Files = Mapping[str, str]


@dataclass(frozen=True)
class HotFunction:
    """A function whose alias names swapped code.

    `former` is the version that its alias named before, `hot` the one that it names now and `old` the one before that,
    each "" while there is none; `layers` and `deployed` are the deployed layers and files, `files` those in force.
    """

    former: str
    layers: tuple[str, ...]
    deployed: Files
    files: Files
    hot: str = ""
    old: str = ""

    @property
    def swapped(self) -> tuple[str, ...]:
        """The versions that are nothing but swapped code."""
        return tuple(version for version in (self.hot, self.old) if version)


@dataclass(frozen=True)
class HotRecord:
    """The swapped functions of an engine by their names.

    `library` are the files of the layer that is in force, and `library_layer` is its ARN; `deployed_library` are those
    of the deployed one.
    """

    endpoint: str
    deployed_library: Files
    library: Files
    library_layer: str
    functions: Mapping[str, HotFunction] = field(default_factory=dict)

    def write(self, file: Path) -> None:
        """Replace the record in one step."""
        write_atomically(file, asdict(self))

    @classmethod
    def read(cls, file: Path) -> "HotRecord | None":
        """Return the record, None if there is none.

        Raises:
            StateError: the file is not a record of this version.
        """
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
            functions = {
                name: HotFunction(**{**one, "layers": tuple(one["layers"])})
                for name, one in stored.pop("functions").items()
            }
            return cls(**stored, functions=functions)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(
                f"{file} can't be read ({error}), and it says what was swapped. `make down && make up` starts anew."
            ) from error
