"""Makes LocalStack 4.14.0 run on Python 3.11 and 3.12: run once after its installation, on its Python.

`python -m tidegate_localstack.older_python`. Its metadata says Python 3.10 and newer, but it is written for 3.13: nine
files declare type parameters by PEP 695's syntax (3.12), and two use what 3.13 brought. They are rewritten to what that
stands for: TypeVar and Generic, typing_extensions, a quoted annotation. On Python 3.13 nothing is done.
"""

import re
import sys
from importlib.metadata import distribution
from pathlib import Path

_GENERIC_CLASS = re.compile(
    r"^(?P<indent> *)class (?P<name>\w+)\[(?P<parameters>[^\]]+)\](?:\((?P<bases>.*)\))?:", re.MULTILINE
)
_GENERIC_FUNCTION = re.compile(r"^(?P<indent> *)def (?P<name>\w+)\[(?P<parameters>[^\]]+)\]\(", re.MULTILINE)
_TYPE_ALIAS = re.compile(r"^type (\w+) = ", re.MULTILINE)
_OF_3_13 = {
    "from warnings import deprecated\n": "from typing_extensions import deprecated\n",
    # threading.Lock was a function before.
    "install_lock: Lock | None = None": 'install_lock: "Lock | None" = None',
}


class RewriteError(Exception):
    """A file can't be made to be of this Python."""


def main() -> None:
    """Rewrite the installed package.

    Raises:
        PackageNotFoundError: LocalStack isn't installed here.
        RewriteError: a file can't be rewritten.
    """
    if sys.version_info >= (3, 13):
        return
    # By what was installed, not by import: a folder of this name where it is called would be a part of the package.
    for file in distribution("localstack-core").files or ():
        if file.suffix == ".py":
            _rewrite_file(Path(str(file.locate())))


def rewritten(source: str) -> str:
    """Return a module's source without what is newer than Python 3.11; bounds of type parameters are left out."""
    for newer, older in _OF_3_13.items():
        source = source.replace(newer, older)
    source = _TYPE_ALIAS.sub(r"\1 = ", source)
    for pattern, heading in ((_GENERIC_CLASS, _class_heading), (_GENERIC_FUNCTION, _function_heading)):
        while found := pattern.search(source):
            before, after = source[: found.start()], source[found.end() :]
            at = _start_of_decorators(before, found["indent"])
            source = before[:at] + _variables(found) + before[at:] + heading(found) + after
    return source


def _rewrite_file(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    result = rewritten(source)
    if result == source:
        return
    try:
        compile(result, str(file), "exec")
    except SyntaxError as error:
        raise RewriteError(
            f"{file} can't be rewritten ({error}): make LocalStack's environment of Python 3.13."
        ) from error
    # A new file: the installer may have linked this one to its cache.
    draft = file.with_suffix(".draft")
    draft.write_text(result, encoding="utf-8")
    draft.replace(file)


def _names(found: re.Match[str]) -> list[str]:
    return [parameter.split(":")[0].strip() for parameter in found["parameters"].split(",")]


def _variables(found: re.Match[str]) -> str:
    lines = [f"{name} = __import__('typing').TypeVar('{name}')" for name in _names(found)]
    return "".join(f"{found['indent']}{line}\n" for line in lines)


def _class_heading(found: re.Match[str]) -> str:
    generic = f"__import__('typing').Generic[{', '.join(_names(found))}]"
    bases = ", ".join([*([found["bases"]] if found["bases"] else []), generic])
    return f"{found['indent']}class {found['name']}({bases}):"


def _function_heading(found: re.Match[str]) -> str:
    return f"{found['indent']}def {found['name']}("


def _start_of_decorators(before: str, indent: str) -> int:
    at = len(before)
    while True:
        line_start = before.rfind("\n", 0, at - 1) + 1
        if not before[line_start:at].startswith(f"{indent}@"):
            return at
        at = line_start


if __name__ == "__main__":
    main()
