"""Where `tidegate rollback` goes: pure, from what served, what is in force and what is still there."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

Versions = Mapping[str, str]


class RollbackRefusedError(ValueError):
    """There is nowhere to go back to, or not there; the message says where else."""


def chosen(
    served: Sequence[Versions],
    api: str,
    now: Mapping[str, str | None],
    retained: Mapping[str, AbstractSet[str]],
    version: str | None,
) -> dict[str, str]:
    """Pick what is to be put in force: one set of versions that served together.

    Args:
        served: such sets, in order of time.
        api: the function that `version` is of.
        now: what each function's alias names; None: there is no alias.
        retained: the published versions that are still there, by function.
        version: a number; None: the set before the one that is in force.

    Raises:
        RollbackRefusedError: it isn't to be had.
    """
    if api not in retained:
        raise RollbackRefusedError(f"The function {api} isn't there. `tidegate release` deploys it again.")
    sets = [versions for versions in served if api in versions]
    if version is None:
        return dict(_complete(_before(sets, api, now, retained), retained, api))
    if not (version.isascii() and version.isdigit()) or int(version) < 1:
        raise RollbackRefusedError(
            f"{version!r} is no version's number. {_offer(sets, api, retained)} An alias names a published version, "
            "and neither $LATEST nor another alias."
        )
    number = str(int(version))
    if number not in retained[api]:
        raise RollbackRefusedError(f"Version {number} of {api} isn't there any more. {_offer(sets, api, retained)}")
    found = [versions for versions in sets if versions[api] == number]
    if not found:
        raise RollbackRefusedError(f"Version {number} of {api} never was in force. {_offer(sets, api, retained)}")
    return dict(_complete(found[-1], retained, api))


def _before(
    sets: Sequence[Versions], api: str, now: Mapping[str, str | None], retained: Mapping[str, AbstractSet[str]]
) -> Versions:
    """Return the last set that served before the one that is in force, and that is still there."""
    at = max([place for place, versions in enumerate(sets) if versions[api] == now.get(api)], default=len(sets))
    earlier = [versions for versions in sets[:at] if _is_there(versions, retained) and versions[api] != now.get(api)]
    if not earlier:
        said = f"version {now[api]}" if now.get(api) else "the present one"
        raise RollbackRefusedError(
            f"Nothing that is still there was in force before {said}. {_offer(sets, api, retained)}"
        )
    return earlier[-1]


def _complete(versions: Versions, retained: Mapping[str, AbstractSet[str]], api: str) -> Versions:
    """See that all of a set is there.

    Raises:
        RollbackRefusedError: some of it isn't.
    """
    missing = [
        f"version {version} of {name}" for name, version in versions.items() if version not in retained.get(name, ())
    ]
    if missing:
        raise RollbackRefusedError(
            f"Version {versions[api]} of {api} served together with {' and '.join(missing)}, which isn't there any "
            "more. Choose another one: tidegate rollback VERSION"
        )
    return versions


def _is_there(versions: Versions, retained: Mapping[str, AbstractSet[str]]) -> bool:
    return all(version in retained.get(name, ()) for name, version in versions.items())


def _offer(sets: Sequence[Versions], api: str, retained: Mapping[str, AbstractSet[str]]) -> str:
    there = sorted({int(versions[api]) for versions in sets if _is_there(versions, retained)})
    if not there:
        return "There is no version to go back to."
    return f"These can be put in force: {', '.join(map(str, there))}."
