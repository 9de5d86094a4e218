"""What somebody has deleted or moved by hand: `up`, which deploys nothing where nothing changed, says it at once."""

from collections.abc import Callable, Mapping

from tidegate_local.errors import DeploymentError
from tidegate_local.releases.place import local_place
from tidegate_local.releases.place_status import GONE, parts_of
from tidegate_local.stacks import tables
from tidegate_local.state import LocalState


def require_tables(endpoint_url: str, outputs: Mapping[str, str]) -> None:
    """See that the tables of a deployed stack are there.

    Raises:
        DeploymentError: one isn't.
    """
    if gone := tables.missing(endpoint_url, outputs):
        raise DeploymentError(
            f"Tables of the stack were deleted, with all that was in them: {', '.join(gone)}. CloudFormation makes no "
            "table anew that it takes for there: `make down && make up` starts anew."
        )


def look(state: LocalState, say: Callable[[str], None]) -> None:
    """Say of each part of the releases that isn't well what to do.

    Raises:
        DeploymentError: an alias is gone, without which the API can't answer.
    """
    with local_place(state) as place:
        ill = [part for part in parts_of(place) if not part.well]
    for part in ill:
        if part.state == GONE:
            raise DeploymentError(f"The alias {part.name} {GONE}, so requests fail. {part.where}")
        say(f"{part.name}: {part.state}. {part.where}")
