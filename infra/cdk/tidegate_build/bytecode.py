"""Bytecode in the artefacts: without it every cold start compiles, and takes two to three times as long."""

import os
import sys
from pathlib import Path, PurePosixPath

from tidegate_build.targets import Target
from tidegate_build.toolchain import Interpreter, find_interpreter, run

# Where Lambda unpacks a function's own archive, and a layer's Python packages: what tracebacks show.
TASK_ROOT = PurePosixPath("/var/task")
LAYER_ROOT = PurePosixPath("/opt/python")


def compiler_for(target: Target) -> Interpreter | None:
    """Find the interpreter whose bytecode the target runs; None, said on stderr, if this machine has none."""
    interpreter = find_interpreter(target.python)
    if interpreter is None:
        sys.stderr.write(
            f"tidegate: no Python {target.python} on this machine: "
            f"the {target.tag} assets ship without .pyc, and cold starts are slower\n"
        )
    return interpreter


def bytecode_fact(interpreter: Interpreter | None) -> str:
    """Say, for an asset's digest, which bytecode it holds."""
    return f"bytecode={interpreter.cache_tag if interpreter else 'none'}"


def compile_tree(tree: Path, interpreter: Interpreter, installed_at: PurePosixPath) -> None:
    """Compile every module below `tree` into its __pycache__; tracebacks name files below `installed_at`.

    The .pyc are unchecked: an import compares them neither with the source's time, which a zip doesn't
    keep, nor with its hash.
    """
    # A fixed hash seed gives sets in constants a fixed order, and so the same bytes at each build.
    environ = {"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")}
    options = ["-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    paths = ["-s", str(tree), "-p", str(installed_at), str(tree)]
    run([str(interpreter.path), "-s", "-P", "-m", "compileall", *options, *paths], cwd=tree, environ=environ)


def drop_sources(package: Path, interpreter: Interpreter) -> None:
    """Keep only the bytecode of a compiled package, where an import without source looks for it."""
    suffix = f".{interpreter.cache_tag}.pyc"
    for compiled in list(package.rglob(f"__pycache__/*{suffix}")):
        module = compiled.parent.parent / compiled.name.removesuffix(suffix)
        compiled.rename(module.with_name(f"{module.name}.pyc"))
        module.with_name(f"{module.name}.py").unlink()
    for cache in list(package.rglob("__pycache__")):
        cache.rmdir()
