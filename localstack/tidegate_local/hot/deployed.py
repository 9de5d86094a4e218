"""The code of a function as an engine has it: its archive, its layers, and the files in them."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import httpx

from tidegate_local.errors import SwapError
from tidegate_local.hot.record import Files

_COMPILED = ".pyc"
_WITHIN_S = 30.0


def code(functions: Any, name: str) -> bytes:
    """Return the archive of a function as it is now (boto3's client of Lambda)."""
    return _fetched(functions.get_function(FunctionName=name)["Code"]["Location"])


def layers(functions: Any, name: str) -> tuple[str, ...]:
    """Return the ARNs of a function's layers, the library's last.

    Raises:
        SwapError: the engine loads no layers, so that the library is in the function's own archive.
    """
    found = functions.get_function_configuration(FunctionName=name).get("Layers", [])
    if not found:
        raise SwapError(
            f"{name} has no layers on this engine, so its code can't be swapped: `make up` deploys it. The embedded "
            "engine (`make up ENGINE=embedded`) swaps code."
        )
    return tuple(layer["Arn"] for layer in found)


def layer(functions: Any, arn: str) -> Files:
    """Return the files of a layer's version."""
    return files(_fetched(functions.get_layer_version_by_arn(Arn=arn)["Content"]["Location"]))


def files(archive: bytes) -> Files:
    """Return the digests of an archive's files, but those that Python made."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = [name for name in opened.namelist() if not name.endswith((_COMPILED, "/"))]
        return {name: hashlib.sha256(opened.read(name)).hexdigest() for name in names}


def changed(now: Files, then: Mapping[str, str]) -> list[str]:
    """List the files that are new, other or gone."""
    return sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))


def _fetched(url: str) -> bytes:
    return httpx.get(url, timeout=_WITHIN_S, trust_env=False).raise_for_status().content
