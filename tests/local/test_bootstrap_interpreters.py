import os
import sys
from pathlib import Path

import pytest

from tidegate_bootstrap import interpreters


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with no Python but those that a test puts there, and this one."""
    for folder in ("path", "pyenv", "home"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("UV_PYTHON", raising=False)
    monkeypatch.setattr(sys, "version_info", (3, 11, 2, "final", 0))
    monkeypatch.setattr(sys, "executable", str(python(tmp_path / "this" / "python3", "3.11")))
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    return tmp_path


def python(place: Path, version: str) -> Path:
    """Something that answers the question as a Python of that version would."""
    return script(place, f"echo {version} {place}")


def script(place: Path, body: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{body}\n")
    place.chmod(0o755)
    return place


def test_3_13_is_preferred(machine):
    for version in ("3.14", "3.12", "3.13", "3.11"):
        python(machine / "path" / f"python{version}", version)
    assert interpreters.choose(None).version == "3.13"


@pytest.mark.parametrize(
    ("there", "chosen"), [(["3.14", "3.12"], "3.12"), (["3.14"], "3.11"), (["3.10"], "3.11"), ([], "3.11")]
)
def test_otherwise_the_nearest_that_is_tested(machine, there, chosen):
    for version in there:
        python(machine / "path" / f"python{version}", version)
    assert interpreters.choose(None).version == chosen


def test_a_shim_that_selects_nothing_is_passed_over_for_what_pyenv_has(machine):
    script(machine / "path" / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    for release in ("3.13.2", "3.13.10", "3.13.9"):
        python(machine / "pyenv" / "versions" / release / "bin" / "python3.13", "3.13")
    found = interpreters.choose(None)
    assert found.path == machine / "pyenv" / "versions" / "3.13.10" / "bin" / "python3.13"


def test_pyenv_in_the_home_folder_is_found_without_its_variable(machine, monkeypatch):
    monkeypatch.delenv("PYENV_ROOT")
    installed = python(machine / "home" / ".pyenv" / "versions" / "3.13.1" / "bin" / "python3.13", "3.13")
    assert interpreters.choose(None).path == installed


def test_what_uv_knows_is_asked_for(machine):
    hidden = python(machine / "hidden" / "python3.13", "3.13")
    uv = script(machine / "uv", f'for last; do :; done; [ "$last" = 3.13 ] && echo {hidden}')
    assert interpreters.choose(uv).path == hidden


def test_a_python_that_says_another_version_than_its_name_is_not_taken_for_it(machine):
    python(machine / "path" / "python3.13", "3.12")
    assert interpreters.choose(None).version == "3.11"


def test_a_python_without_ssl_is_not_taken(machine):
    script(machine / "path" / "python3.13", "echo \"No module named '_ssl'\" >&2; exit 1")
    assert interpreters.choose(None).version == "3.11"


def test_the_developers_own_choice_comes_first(machine, monkeypatch):
    python(machine / "path" / "python3.13", "3.13")
    chosen = python(machine / "elsewhere" / "python", "3.12")
    monkeypatch.setenv("UV_PYTHON", str(chosen))
    assert interpreters.choose(None).path == chosen


@pytest.mark.parametrize("version", ["3.10", "2.7"])
def test_a_choice_that_is_too_old_is_not_followed(machine, monkeypatch, version):
    monkeypatch.setenv("UV_PYTHON", str(python(machine / "old", version)))
    assert interpreters.choose(None).version == "3.11"


def test_a_virtual_environment_that_runs_this_is_not_built_upon(machine, monkeypatch):
    monkeypatch.setattr(sys, "base_prefix", str(machine / "elsewhere"))
    python(machine / "path" / "python3.11", "3.11")
    assert interpreters.choose(None).path == machine / "path" / "python3.11"


def test_a_real_python_answers(monkeypatch):
    found = interpreters.examine(sys.executable)
    assert found is not None
    assert found.version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert interpreters.examine(os.devnull) is None
