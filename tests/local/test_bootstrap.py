"""What `make setup` does on a machine, by a uv that notes how it was called and makes what the real one would."""

import hashlib
import io
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tidegate_bootstrap import environment, uv_tool

UV = f"""#!/bin/sh
case "$1" in
--version) echo "uv 0.13.9" ;;
python) echo {sys.executable}; echo "$*" >> {{root}}/asked ;;
*)
  mkdir {{root}}/running || exit 3  # two at once would break each other
  echo "$UV_DEFAULT_INDEX $*" >> {{root}}/calls
  mkdir -p .venv/bin && touch .venv/bin/python .venv/bin/tidegate && echo "home = /any" > .venv/pyvenv.cfg
  rmdir {{root}}/running
  exit {{status}} ;;
esac
"""
# Stands for pip: it installs a uv, and notes where it was told to look.
PIP = """
import os, pathlib, shutil, sys
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1], "bin")
target.mkdir(parents=True)
shutil.copy({uv!r}, target / "uv")
pathlib.Path({uv!r}).with_name("pip").write_text(f"{{os.environ.get('PIP_INDEX_URL')}} {{sys.argv[1:]}}")
"""


LOCKED = ("uv.lock", "pyproject.toml", "localstack/pyproject.toml", "infra/cdk/pyproject.toml")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository on a machine whose uv is named by UV."""
    for name in LOCKED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in ("UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "UV_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(uv_tool.shutil, "which", lambda _: None)
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "localstack" / "package" / "environment.py"))
    monkeypatch.setenv("UV", str(write_uv(tmp_path / "uv", tmp_path)))
    return tmp_path


def write_uv(place: Path, root: Path, status: int = 0) -> Path:
    place.write_text(UV.format(root=root, status=status))
    place.chmod(0o755)
    return place


def calls(root: Path) -> list[str]:
    """What uv has done since the last time, without its answers to questions."""
    record = root / "calls"
    told = record.read_text().splitlines() if record.exists() else []
    record.unlink(missing_ok=True)
    return told


def test_the_lock_is_installed_once(repository):
    environment.make_ready(repository)
    assert calls(repository) == [f" sync --quiet --locked --python {sys.executable}"]
    (repository / "uv").write_text("not run again")
    environment.make_ready(repository)


@pytest.mark.parametrize("name", [*LOCKED, ".venv/pyvenv.cfg"])
def test_a_changed_input_is_installed_again(repository, name):
    environment.make_ready(repository)
    calls(repository)
    (repository / name).write_text("changed")
    environment.make_ready(repository)
    assert len(calls(repository)) == 1


def test_an_environment_without_its_python_is_made_again(repository):
    environment.make_ready(repository)
    calls(repository)
    python = repository / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(repository / "removed")
    environment.make_ready(repository)
    assert len(calls(repository)) == 1


def test_another_choice_of_python_is_followed(repository, monkeypatch):
    environment.make_ready(repository)
    assert (repository / "asked").read_text().endswith(" 3.13\n")
    monkeypatch.setenv("UV_PYTHON", "3.12")
    environment.make_ready(repository)
    assert (repository / "asked").read_text().endswith(" 3.12\n")


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
def test_packages_but_not_the_lock_come_from_the_users_index(repository, monkeypatch, variable):
    monkeypatch.setenv(variable, "https://mirror.example/simple")
    environment.make_ready(repository)
    export, venv, sync = calls(repository)
    assert export.startswith(" export --no-config --locked ")
    assert venv.endswith(f"--python {sys.executable} .venv")
    assert sync.startswith("https://mirror.example/simple pip sync ")


def test_two_at_once_install_once(repository):
    with ThreadPoolExecutor(2) as threads:
        together = threading.Barrier(2)
        for done in [threads.submit(lambda: (together.wait(), environment.make_ready(repository))) for _ in "ab"]:
            done.result()
    assert len(calls(repository)) == 1


def test_a_failed_install_is_told_and_done_again(repository, monkeypatch):
    write_uv(repository / "uv", repository, status=2)
    with pytest.raises(SystemExit, match=r"uv sync --quiet \.\.\.` failed.* index reachable"):
        environment.main()
    write_uv(repository / "uv", repository)
    calls(repository)
    environment.main()
    assert len(calls(repository)) == 1


def test_a_folder_that_cannot_be_written_is_named(repository, monkeypatch):
    (repository / ".tidegate").write_text("in the way")
    with pytest.raises(SystemExit, match=rf"{repository}/\.tidegate.* this folder writable"):
        environment.main()


def test_an_old_python_is_told_what_is_needed():
    source = uv_tool.PINS.with_name("__main__.py")
    old = f"import sys; sys.version_info = (3, 9, 2); exec(compile(open({str(source)!r}).read(), 'main', 'exec'))"
    done = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Tidegate needs Python 3.11 or newer; this is 3.9 (")


@pytest.fixture
def bare(repository, monkeypatch):
    """A machine without uv and pip, and with an index of its own that has pip, behind a password."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pip/__main__.py", PIP.format(uv=str(repository / "uv")))
    pages = {
        "https://mirror.example/simple/pip/": f'<a href="../../files/{uv_tool.PIP}?a=1&amp;b=2#sha256=0">'.encode(),
        f"https://mirror.example/files/{uv_tool.PIP}?a=1&b=2": packed.getvalue(),
    }

    def answer(request, timeout):
        assert request.get_header("Authorization") == "Basic bWU6cEBzcw=="
        return io.BytesIO(pages[request.full_url])

    monkeypatch.setattr(uv_tool, "urlopen", answer)
    monkeypatch.setattr(uv_tool, "PIP_SHA256", hashlib.sha256(packed.getvalue()).hexdigest())
    monkeypatch.setattr(uv_tool.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("UV_INDEX_URL", "https://me:p%40ss@mirror.example/simple")
    monkeypatch.delenv("UV")
    return repository


def test_a_bare_machine_gets_pip_and_uv_from_the_users_index(bare):
    environment.make_ready(bare)
    assert len(calls(bare)) == 3
    index, _, options = (bare / "pip").read_text().partition(" ")
    assert index == "https://me:p%40ss@mirror.example/simple"
    assert "'--require-hashes'" in options
    assert f"'--requirement', '{uv_tool.PINS}'" in options


def test_a_pip_of_another_hash_is_not_run(bare, monkeypatch):
    monkeypatch.setattr(uv_tool, "PIP_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="pinned hash"):
        environment.make_ready(bare)
    assert not (bare / "pip").exists()


def test_a_uv_that_has_gone_comes_back_alone_by_this_pythons_pip(repository, monkeypatch):
    environment.make_ready(repository)
    calls(repository)
    monkeypatch.delenv("UV")
    (repository / "site" / "pip").mkdir(parents=True)
    (repository / "site" / "pip" / "__main__.py").write_text(PIP.format(uv=str(repository / "uv")))
    monkeypatch.setenv("PYTHONPATH", str(repository / "site"))
    monkeypatch.setattr(uv_tool.importlib.util, "find_spec", lambda name: name == "pip")
    environment.make_ready(repository)
    assert (repository / ".tidegate" / "uv" / "bin" / "uv").exists()
    assert not calls(repository)


@pytest.mark.parametrize("says", ["uv 0.12.30", "uv 0.4.1", "", "uv 0.13.9; exit 1"])
def test_a_uv_that_is_too_old_is_not_used(repository, says):
    (repository / "uv").write_text(f"#!/bin/sh\necho {says}\n")
    assert uv_tool.recent(repository) is None
