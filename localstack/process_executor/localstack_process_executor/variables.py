"""The environment variables of a function's process: LocalStack's, with what a process needs instead of a container."""

import os
from collections.abc import Mapping
from pathlib import Path

from localstack_process_executor.function import Function

# What of LocalStack's own environment a process can't do without. Nothing else of it reaches the function: a
# developer's AWS_PROFILE or PYTHONPATH would.
_INHERITED = ("LD_LIBRARY_PATH", "PATH")
# Only LocalStack's own program in the container uses them.
_OF_THE_CONTAINER = ("LOCALSTACK_RUNTIME_ENDPOINT", "LOCALSTACK_RUNTIME_ID", "LOCALSTACK_FUNCTION_ACCOUNT_ID")


def process_variables(given: Mapping[str, object], function: Function, scratch: Path) -> dict[str, str]:
    """Return a process's environment, but for AWS_LAMBDA_RUNTIME_API.

    Args:
        given: what LocalStack says; numbers are made strings.
        function: where its code lies, and what runs it.
        scratch: the environment's own folder for temporary files, where Lambda has /tmp.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    said = {name: str(value) for name, value in given.items() if name not in _OF_THE_CONTAINER}
    own = {
        "LAMBDA_TASK_ROOT": str(function.task_root),
        # By this awslambdaric knows that it has to leave the main thread to signals (python3.12 and newer).
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        # No ~/.aws of the developer's: its endpoint or profile would be taken.
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
    }
    layers = {} if function.layers_root is None else {"LAMBDA_LAYERS_ROOT": str(function.layers_root)}
    return {"LANG": "C.UTF-8", **_search_paths(function, inherited), **said, **own, **layers}


def _search_paths(function: Function, inherited: Mapping[str, str]) -> dict[str, str]:
    """Lambda's order: the system, the code, the layers."""
    task, layers = function.task_root, function.layers_root
    programs = [] if layers is None else [layers / "bin"]
    libraries = [task, task / "lib", *([] if layers is None else [layers / "lib"])]
    return {
        "PATH": _joined(inherited.get("PATH"), programs),
        "LD_LIBRARY_PATH": _joined(inherited.get("LD_LIBRARY_PATH"), libraries),
    }


def _joined(first: str | None, rest: list[Path]) -> str:
    return os.pathsep.join([*([first] if first else []), *map(str, rest)])
