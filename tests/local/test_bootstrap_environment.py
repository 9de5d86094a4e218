import subprocess
import sys
from pathlib import Path

import pytest

from tidegate_bootstrap import uv_tool
from tidegate_bootstrap.environment import Environment
from tidegate_bootstrap.failure import BootstrapError

# Notes how it was called, and makes what the real one would.
UV = """#!/bin/sh
echo "$@" >> {calls}
case "$1" in
--version) echo "uv 0.13.9" ;;
sync | venv)
  mkdir -p {venv}/bin && touch {venv}/bin/python {venv}/bin/tidegate && echo "home = /any" > {venv}/pyvenv.cfg ;;
esac
exit {status}
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    (tmp_path / "localstack").mkdir()
    for name in ("uv.lock", "pyproject.toml", "localstack/pyproject.toml"):
        (tmp_path / name).write_text(name)
    for name in ("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL", "UV_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    use_uv(tmp_path, monkeypatch)
    return tmp_path


def use_uv(root: Path, monkeypatch, status: int = 0) -> None:
    uv = root / "uv"
    uv.write_text(UV.format(calls=root / "calls", venv=root / ".venv", status=status))
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))


def calls(root: Path) -> list[str]:
    """What uv was told to do since the last time, without the questions for its version and for Pythons."""
    record = root / "calls"
    told = record.read_text().splitlines() if record.exists() else []
    record.unlink(missing_ok=True)
    return [call for call in told if call.split()[0] not in {"--version", "python"}]


def test_the_first_time_it_installs_the_lock_and_then_nothing(repository):
    Environment(repository).make_ready()
    (sync,) = calls(repository)
    assert sync.startswith("sync ")
    assert "--locked" in sync
    Environment(repository).make_ready()
    assert not (repository / "calls").exists(), "uv isn't even asked for its version"


def test_a_ready_environment_whose_uv_has_gone_gets_one_again_and_nothing_else(repository, monkeypatch):
    Environment(repository).make_ready()
    calls(repository)
    installed = []
    monkeypatch.setattr(uv_tool, "install", lambda root: installed.append(root) or root / "uv")
    (repository / "uv").rename(repository / "gone")
    monkeypatch.setenv("PATH", str(repository))
    Environment(repository).make_ready()
    assert installed == [repository]
    (repository / "gone").rename(repository / "uv")
    Environment(repository).make_ready()
    assert installed == [repository]
    assert not (repository / "calls").exists()


@pytest.mark.parametrize("name", ["uv.lock", "pyproject.toml", "localstack/pyproject.toml"])
def test_a_changed_input_is_installed(repository, name):
    Environment(repository).make_ready()
    calls(repository)
    (repository / name).write_text("changed")
    Environment(repository).make_ready()
    assert len(calls(repository)) == 1


def test_another_choice_of_python_is_followed(repository, monkeypatch):
    Environment(repository).make_ready()
    calls(repository)
    monkeypatch.setenv("UV_PYTHON", sys.executable)
    Environment(repository).make_ready()
    (sync,) = calls(repository)
    assert sync.endswith(f"--python {sys.executable}")


def test_an_environment_whose_python_was_removed_is_made_anew(repository):
    Environment(repository).make_ready()
    calls(repository)
    python = repository / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(repository / "removed")
    Environment(repository).make_ready()
    assert len(calls(repository)) == 1


def test_with_an_index_of_ones_own_the_locked_versions_come_from_there(repository, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mirror.example/simple")
    Environment(repository).make_ready()
    export, venv, sync, ours = calls(repository)
    assert "--frozen" in export
    assert venv.startswith("venv ")
    assert "--require-hashes" in sync
    assert ours.count("--editable") == 2


def test_a_failed_install_is_no_stamp(repository, monkeypatch):
    use_uv(repository, monkeypatch, status=2)
    with pytest.raises(BootstrapError, match="sync"):
        Environment(repository).make_ready()
    use_uv(repository, monkeypatch)
    calls(repository)
    Environment(repository).make_ready()
    assert len(calls(repository)) == 1


def test_an_old_python_is_told_what_is_needed(tmp_path):
    source = Path(__file__).parents[2] / "localstack" / "tidegate_bootstrap" / "__main__.py"
    old = f"import sys; sys.version_info = (3, 9, 2); exec(compile(open({str(source)!r}).read(), 'main', 'exec'))"
    done = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Tidegate needs Python 3.11 or newer; this is 3.9 (")
