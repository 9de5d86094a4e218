"""`import tidegate` is the whole surface: nothing more, nothing less, all of it documented."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tidegate

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"
MODULES = [m.name for m in pkgutil.walk_packages(tidegate.__path__, "tidegate.")]
# What the driver calls is the driver's to document.
UNDOCUMENTED = {"tidegate.stores.dynamodb.store._Write.arguments"}


def test_what_can_be_imported_is_what_is_listed():
    ours = {name: value for name, value in vars(tidegate).items() if not name.startswith("_")}
    public = {n for n, value in ours.items() if getattr(value, "__module__", "").startswith("tidegate.")}
    assert public | set(tidegate._LATER) == set(dir(tidegate)) == set(tidegate.__all__)


@pytest.mark.parametrize("name", tidegate.__all__)
def test_every_public_name_comes_from_this_package_and_says_what_it_is(name):
    value = getattr(tidegate, name)
    value = getattr(value, "__origin__", value)  # of an annotated type, the type
    assert value.__module__.startswith("tidegate.")
    assert inspect.getdoc(value)


@pytest.mark.parametrize("name", tidegate.__all__)
def test_every_public_name_is_in_the_reference(name):
    assert name in REFERENCE.read_text(encoding="utf-8")


def public_members(module: ModuleType):
    """Yield the module's own public classes and functions, and the classes' public methods."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value) or inspect.isfunction(value):
            yield f"{module.__name__}.{name}", value
        if inspect.isclass(value):
            for member, method in vars(value).items():
                if (not member.startswith("_") and isinstance(method, property | classmethod | staticmethod)) or (
                    not member.startswith("_") and inspect.isfunction(method)
                ):
                    yield f"{module.__name__}.{name}.{member}", method


@pytest.mark.parametrize("name", ["tidegate", *MODULES])
def test_every_module_and_what_is_public_in_it_has_a_docstring(name):
    module = importlib.import_module(name)
    assert module.__doc__
    missing = [member for member, value in public_members(module) if not value.__doc__]
    assert set(missing) <= UNDOCUMENTED


@pytest.mark.parametrize("error", [e for e in map(tidegate.__dict__.get, tidegate.__all__) if inspect.isclass(e)])
def test_errors_end_in_error_and_nothing_else_does(error):
    assert issubclass(error, Exception) == error.__name__.endswith("Error")
    if issubclass(error, Exception):
        assert issubclass(error, tidegate.TidegateError)


def test_importing_it_loads_no_driver():
    heavy = ["redis", "boto3", "botocore", "pynamodb", "aws_lambda_powertools", "mangum"]
    code = f"import sys, tidegate; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
