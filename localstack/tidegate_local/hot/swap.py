"""A swap: new code becomes a version of its own, which is tried before its function's alias names it.

The code that runs serves until then, so that no request meets a file that is half written or fails at its import. The
stack's templates know nothing of it; `put_back` returns to what they say.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud, interruption
from tidegate_local.errors import SwapError
from tidegate_local.hot import archives, deployed
from tidegate_local.hot.archives import LIBRARY, Archive
from tidegate_local.hot.record import HotFunction, HotRecord
from tidegate_local.hot.trial import refusal
from tidegate_local.layout import StateFolder, project_folder
from tidegate_local.releases.alias_shares import shares
from tidegate_local.releases.stage_names import local_stack
from tidegate_local.state import LocalState

_OUTPUTS = ("FunctionName", "WorkerName")
_NO_WEIGHTS: Mapping[str, Any] = {"AdditionalVersionWeights": {}}
_READY_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Swapped:
    """A function's swap: the files that are other than before, and whether they are what was deployed again."""

    function: str
    files: tuple[str, ...]
    as_deployed: bool


def swap(folder: StateFolder, state: LocalState, root: Path | None = None) -> Iterator[Swapped]:
    """Put the sources at a root as they are now in force, function by function; what hasn't changed stays as it is.

    Raises:
        SwapError: a file can't be compiled, new code can't be started, or a release is under way; the code of that
            function that ran goes on.
    """
    names = _names(state)
    with closing(cloud.client("lambda", state.endpoint_url)) as functions:
        record = _begun(folder, state, functions, names)
        made = archives.made(root or project_folder(), folder.hot, [_part(name) for name in names])
        library = deployed.changed(made[LIBRARY].files, record.library)
        if library:
            layer = _layer(functions, record, names[0], made[LIBRARY])
            record = replace(record, library=made[LIBRARY].files, library_layer=layer)
        for name in names:
            hot, archive = record.functions[name], made[_part(name)]
            own = deployed.changed(archive.files, hot.files)
            layers = (*hot.layers[:-1], record.library_layer)
            if not own and layers == _layers_in_force(functions, name, hot):
                continue
            if as_deployed := (archive.files, layers) == (hot.deployed, hot.layers):
                _return(functions, folder, name, hot)
                record = _with(record, name, replace(hot, files=hot.deployed, hot="", old=hot.hot))
                record.write(folder.hot_record)
            else:
                version = _tried(functions, state, name, archive, layers)
                record = _with(record, name, replace(hot, files=archive.files, hot=version, old=hot.hot))
                # Before the alias moves: whoever interrupts this leaves nothing in force that isn't on record.
                record.write(folder.hot_record)
                functions.update_alias(
                    FunctionName=name,
                    Name=state.outputs["AliasName"],
                    FunctionVersion=version,
                    RoutingConfig=_NO_WEIGHTS,
                )
            yield Swapped(_part(name), tuple(dict.fromkeys([*own, *library])), as_deployed=as_deployed)
            # The one before may be answering still; what is older than that isn't.
            _forget(functions, name, hot.old)


def put_back(folder: StateFolder, endpoint_url: str) -> list[str]:
    """Have functions and aliases be what was deployed again, and return the names of those that were not."""
    record = HotRecord.read(folder.hot_record)
    back: list[str] = []
    if record is not None and record.endpoint == endpoint_url:
        with closing(cloud.client("lambda", endpoint_url)) as functions:
            for name, hot in record.functions.items():
                # An engine that was started anew knows neither; whoever deploys makes them.
                with suppress(functions.exceptions.ResourceNotFoundException):
                    _return(functions, folder, name, hot)
                    for version in hot.swapped:
                        _forget(functions, name, version)
                    back += [_part(name)] if hot.hot else []
    folder.forget_hot()
    return back


def in_force(folder: StateFolder, state: LocalState, functions: Any) -> list[str]:
    """Name the functions whose aliases name swapped code."""
    record = HotRecord.read(folder.hot_record)
    if record is None or record.endpoint != state.endpoint_url:
        return []
    found = []
    for name, hot in record.functions.items():
        with suppress(BotoCoreError, ClientError):
            alias = functions.get_alias(FunctionName=name, Name=state.outputs["AliasName"])
            if alias["FunctionVersion"] in hot.swapped:
                found.append(_part(name))
    return found


def parts(state: LocalState) -> list[str]:
    """Name the folders in functions/ whose code is swapped."""
    return [_part(name) for name in _names(state)]


def _names(state: LocalState) -> list[str]:
    names = [state.outputs[output] for output in _OUTPUTS if output in state.outputs]
    if not names:
        raise SwapError("This cloud has no functions whose code can be swapped: `make up` deploys them.")
    return names


def _begun(folder: StateFolder, state: LocalState, functions: Any, names: list[str]) -> HotRecord:
    """Return the record; where there is none it is begun, with the code and the layers that are deployed."""
    record = HotRecord.read(folder.hot_record)
    if record is None or record.endpoint != state.endpoint_url:
        folder.forget_hot()
        folder.hot.mkdir(parents=True)
        library = deployed.layers(functions, names[0])[-1]
        files = deployed.layer(functions, library)
        record = HotRecord(state.endpoint_url, files, files, library)
    for name in names:
        named = _named(functions, name, state.outputs["AliasName"])
        known = record.functions.get(name)
        if known is None:
            code = deployed.code(functions, name)
            _original(folder, name).write_bytes(code)
            files = deployed.files(code)
            known = HotFunction(named, deployed.layers(functions, name), files, files)
        elif named == known.old:  # the last swap was interrupted before its end
            known = replace(known, hot=known.old, old="", files={})
        elif named != known.hot:  # so it was, or somebody has moved the alias meanwhile
            known = replace(known, former=named, files={} if known.hot else known.files)
        record = _with(record, name, known)
    record.write(folder.hot_record)
    return record


def _layer(functions: Any, record: HotRecord, name: str, library: Archive) -> str:
    """Return the ARN of a layer that is the library: the deployed one, if it is that again."""
    if library.files == record.deployed_library:
        return record.functions[name].layers[-1]
    content = {"ZipFile": library.path.read_bytes()}
    arn: str = functions.publish_layer_version(LayerName=f"{local_stack()}-hot", Content=content)["LayerVersionArn"]
    return arn


def _named(functions: Any, name: str, alias: str) -> str:
    """Return the version that an alias names.

    Raises:
        SwapError: it names two, or none.
    """
    try:
        divided = shares(functions.get_alias(FunctionName=name, Name=alias))
    except functions.exceptions.ResourceNotFoundException:
        raise SwapError(f"The alias {name}:{alias} is gone. Next: `tidegate release --recover`.") from None
    if len(divided) > 1:
        raise SwapError(
            f"{name}:{alias} has two versions: a release is under way. `tidegate release --watch` shows it, "
            "`tidegate release --recover` ends one that died."
        )
    return next(iter(divided))


def _tried(functions: Any, state: LocalState, name: str, code: Archive, layers: tuple[str, ...]) -> str:
    """Publish a version of new code that starts.

    Raises:
        SwapError: it doesn't.
    """
    # Always both: what was refused the last time is there still.
    _ready(functions.update_function_code, FunctionName=name, ZipFile=code.path.read_bytes())
    if layers != deployed.layers(functions, name):
        _ready(functions.update_function_configuration, FunctionName=name, Layers=list(layers))
    version: str = _ready(functions.publish_version, FunctionName=name)["Version"]
    if said := refusal(functions, name, version, queued=name == state.outputs.get("WorkerName")):
        _forget(functions, name, version)
        raise SwapError(f"{_part(name)}: {said}. The code that ran goes on.")
    return version


def _ready(call: Any, **words: Any) -> Any:
    """Call Lambda, which refuses while the function's last change isn't through."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            return call(**words)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceConflictException" or time.monotonic() > deadline:
                raise
        interruption.check()
        time.sleep(_LOOK_EVERY_S)


def _return(functions: Any, folder: StateFolder, name: str, hot: HotFunction) -> None:
    _ready(functions.update_function_code, FunctionName=name, ZipFile=_original(folder, name).read_bytes())
    if hot.layers != deployed.layers(functions, name):
        _ready(functions.update_function_configuration, FunctionName=name, Layers=list(hot.layers))
    for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
        if alias["FunctionVersion"] in hot.swapped:
            functions.update_alias(
                FunctionName=name, Name=alias["Name"], FunctionVersion=hot.former, RoutingConfig=_NO_WEIGHTS
            )


def _forget(functions: Any, name: str, version: str) -> None:
    """Delete a swapped version that nothing names any more: what is released later is compared with the last one."""
    if version:
        with suppress(ClientError):
            functions.delete_function(FunctionName=name, Qualifier=version)


def _layers_in_force(functions: Any, name: str, hot: HotFunction) -> tuple[str, ...]:
    if not hot.hot:
        return hot.layers
    found = functions.get_function_configuration(FunctionName=name, Qualifier=hot.hot)
    return tuple(layer["Arn"] for layer in found.get("Layers", []))


def _with(record: HotRecord, name: str, hot: HotFunction) -> HotRecord:
    return replace(record, functions={**record.functions, name: hot})


def _original(folder: StateFolder, name: str) -> Path:
    return folder.hot / f"{name}.deployed.zip"


def _part(name: str) -> str:
    """The folder of a function's sources in functions/."""
    return name.removeprefix(f"{local_stack()}-")
