"""Which folders belong to which version of a function."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

from localstack_process_executor.code_folders import CodeFolders


@dataclass(frozen=True)
class Folders:
    """Where a version's code lies, and its layers, if it has any."""

    task_root: Path
    layers_root: Path | None


class UnsupportedFunctionError(Exception):
    """The function needs what this executor hasn't got."""


class Versions:
    """Makes the folders of versions, and finds them again."""

    def __init__(self) -> None:
        self._folders = CodeFolders(Path(tempfile.gettempdir()) / "lambda" / "process")

    def prepare(self, version: FunctionVersion) -> None:
        """Unpack a version's code and layers, and hold them till it is released.

        Raises:
            UnsupportedFunctionError: it is not a zipped Python function.
        """
        runtime = str(version.config.runtime or "an image")
        if not runtime.startswith("python") or version.config.code is None:
            raise UnsupportedFunctionError(
                f"The process executor runs zipped Python functions; {version.qualified_arn} is {runtime}. "
                "Run LocalStack with Docker for this one (LAMBDA_RUNTIME_EXECUTOR=docker)."
            )
        codes = [version.config.code, *(layer.code for layer in version.config.layers if layer.code)]
        for code in codes:
            code.prepare_for_execution()
        task, *layers = (code.get_unzipped_code_location() for code in codes)
        if not version.config.code.is_hot_reloading():
            self._folders.hold(_code_key(version), [task])
        if layers:
            self._folders.hold(_layers_key(version), layers)

    def hold(self, version: FunctionVersion) -> Folders:
        """Return a prepared version's folders, which stay till it is released once more.

        Raises:
            KeyError: it isn't prepared any more.
        """
        code = version.config.code
        hot = code.is_hot_reloading()
        task = code.get_unzipped_code_location() if hot else self._folders.hold(_code_key(version))
        return Folders(task, self._folders.hold(_layers_key(version)) if version.config.layers else None)

    def release(self, version: FunctionVersion) -> None:
        """Give a version's folders back, once for each time that they were held."""
        self._folders.release(_code_key(version))
        self._folders.release(_layers_key(version))


def _code_key(version: FunctionVersion) -> str:
    return f"code:{version.config.code.id}" if hasattr(version.config.code, "id") else ""


def _layers_key(version: FunctionVersion) -> str:
    return "layers:" + ",".join(layer.layer_version_arn for layer in version.config.layers)


VERSIONS = Versions()
