import os
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from infra.artefacts import function_code, library_layer
from infra.swapped_code import LIBRARY, swapped
from tidegate_build import bytecode, toolchain
from tidegate_build.assets import Workspace
from tidegate_build.targets import HOST, LAMBDA_ARM64, Target
from tidegate_build.toolchain import BuildError, Interpreter, find_interpreter, find_uv, run


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path / "here")


def make_workspace(root: Path, *, mtime: float | None = None) -> Workspace:
    sources = {
        "functions/__init__.py": '"""Functions."""\n',
        "functions/api/__init__.py": "",
        "functions/api/handler.py": "def handler(event, context):\n    return {1, 2, 3}\n",
        "functions/worker/handler.py": "raise SystemExit\n",
        "layers/tidegate/python/tidegate/__init__.py": "ANSWER = frozenset({'a', 'b', 'c'})\n",
        "layers/tidegate/python/tidegate/stores/redis/lua/admit.lua": "return 1\n",
        "layers/tidegate/python/tidegate/py.typed": "",
    }
    for name, text in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if mtime is not None:
            os.utime(path, (mtime, mtime))
    return Workspace(root, root / ".tidegate")


BUILDERS = [lambda w: function_code(w, "api", HOST), lambda w: library_layer(w, HOST)]


@pytest.mark.parametrize("build", BUILDERS)
def test_the_same_sources_give_the_same_bytes_anywhere_at_any_time(tmp_path, build):
    first = build(make_workspace(tmp_path / "first", mtime=1_000_000_000))
    second = build(make_workspace(tmp_path / "another" / "place", mtime=1_700_000_000))
    assert first.digest == second.digest
    assert first.path != second.path
    assert first.path.read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize(
    ("build", "source"),
    [
        (BUILDERS[0], "functions/api/handler.py"),
        (BUILDERS[0], "functions/__init__.py"),
        (BUILDERS[1], "layers/tidegate/python/tidegate/stores/redis/lua/admit.lua"),
    ],
)
def test_a_changed_source_gives_another_digest(workspace, build, source):
    before = build(workspace)
    (workspace.root / source).write_text("# changed\n")
    assert build(workspace).digest != before.digest


def test_an_executable_bit_is_a_part_of_the_source(workspace):
    before = library_layer(workspace, HOST)
    (workspace.root / "layers/tidegate/python/tidegate/__init__.py").chmod(0o755)
    assert library_layer(workspace, HOST).digest != before.digest


def test_other_functions_are_left_out(workspace):
    before = function_code(workspace, "api", HOST)
    (workspace.root / "functions/worker/handler.py").write_text("# changed\n")
    assert function_code(workspace, "api", HOST) == before
    assert not [name for name in zipfile.ZipFile(before.path).namelist() if "worker" in name]


def test_names_keep_their_paths_and_bytecode_is_beside(workspace):
    tag = find_interpreter(HOST.python).cache_tag
    assert zipfile.ZipFile(function_code(workspace, "api", HOST).path).namelist() == [
        "functions/__init__.py",
        f"functions/__pycache__/__init__.{tag}.pyc",
        "functions/api/__init__.py",
        f"functions/api/__pycache__/__init__.{tag}.pyc",
        f"functions/api/__pycache__/handler.{tag}.pyc",
        "functions/api/handler.py",
    ]


def test_leftovers_in_the_sources_neither_ship_nor_count(workspace):
    before = library_layer(workspace, HOST)
    package = workspace.root / "layers/tidegate/python/tidegate"
    for leftover in ("__pycache__/clock.cpython-399.pyc", "clock.pyc", ".DS_Store"):
        (package / leftover).parent.mkdir(exist_ok=True)
        (package / leftover).write_bytes(b"left over")
    assert library_layer(workspace, HOST).digest == before.digest


def test_nothing_is_written_into_the_sources(workspace):
    before = sorted(workspace.root.rglob("*"))
    library_layer(workspace, HOST)
    function_code(workspace, "api", HOST)
    assert [
        path for path in sorted(workspace.root.rglob("*")) if workspace.state not in (path, *path.parents)
    ] == before


def test_what_is_swapped_holds_what_a_deploy_s_archives_hold(workspace, tmp_path):
    deployed = {"api": function_code(workspace, "api", HOST), LIBRARY: library_layer(workspace, HOST)}
    for name, made in swapped(workspace, tmp_path / "swapped", ["api"]).items():
        with zipfile.ZipFile(deployed[name].path) as one, zipfile.ZipFile(made["archive"]) as other:
            assert other.namelist() == one.namelist()
            for file in one.namelist():
                assert file.endswith(".pyc") or other.read(file) == one.read(file), file


def test_what_is_swapped_follows_the_sources(workspace, tmp_path):
    before = swapped(workspace, tmp_path / "swapped", ["api", "worker"])
    assert swapped(workspace, tmp_path / "swapped", ["api", "worker"]) == before
    (workspace.root / "functions/api/handler.py").unlink()
    (workspace.root / "functions/api/other.py").write_text("ANSWER = 1\n")
    after = swapped(workspace, tmp_path / "swapped", ["api", "worker"])
    assert after[LIBRARY] == before[LIBRARY]
    assert {name for name in after if after[name]["archive"] != before[name]["archive"]} == {"api", "worker"}
    names = zipfile.ZipFile(after["api"]["archive"]).namelist()
    assert not [name for name in names if "handler" in name]
    assert "functions/api/other.py" in names
    assert len(list((tmp_path / "swapped").glob("*.zip"))) == 3


def test_a_second_build_is_taken_from_the_cache(workspace, monkeypatch):
    built = library_layer(workspace, HOST)
    monkeypatch.setattr("tidegate_build.code.compile_tree", pytest.fail)
    assert library_layer(workspace, HOST) == built


def test_a_build_that_fails_leaves_nothing_behind(workspace, monkeypatch):
    def fail(*args):
        raise BuildError("no")

    monkeypatch.setattr("tidegate_build.code.compile_tree", fail)
    with pytest.raises(BuildError):
        library_layer(workspace, HOST)
    assert list((workspace.state / "assets").iterdir()) == []


def test_sources_ship_alone_with_a_notice_without_the_versions_interpreter(workspace, capsys):
    asset = library_layer(workspace, Target(python="3.99", platform=None, architecture="arm64"))
    assert not [name for name in zipfile.ZipFile(asset.path).namelist() if name.endswith(".pyc")]
    assert "no Python 3.99" in capsys.readouterr().err
    assert asset.digest != library_layer(workspace, HOST).digest


def test_the_state_folder_can_be_elsewhere(tmp_path, monkeypatch):
    monkeypatch.delenv("TIDEGATE_STATE_DIR", raising=False)
    assert Workspace.at(tmp_path).state == tmp_path / ".tidegate"
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(tmp_path / "state"))
    assert Workspace.at(tmp_path).state == tmp_path / "state"


def test_a_module_that_does_not_compile_is_named(tmp_path):
    (tmp_path / "broken.py").write_text("def (:\n")
    with pytest.raises(BuildError, match=r"broken\.py"):
        bytecode.compile_tree(tmp_path, find_interpreter(HOST.python), PurePosixPath("/opt/python"))


def test_uv_is_taken_from_its_variable_first(tmp_path, monkeypatch):
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))
    assert find_uv() == (str(uv),)


def test_a_missing_uv_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("UV", str(tmp_path / "gone"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BuildError, match="name it in the UV variable"):
        find_uv()


def test_a_program_that_fails_is_quoted(tmp_path):
    with pytest.raises(BuildError, match="no-such-option"):
        run([*find_uv(), "--no-such-option"], cwd=tmp_path)


def test_the_interpreter_of_this_version_is_this_one():
    assert isinstance(find_interpreter(HOST.python), Interpreter)
    assert find_interpreter("3.99") is None


def test_targets_are_told_apart():
    assert LAMBDA_ARM64.tag == "py3.13-aarch64-manylinux2014"
    assert HOST.tag.startswith(f"py{HOST.python}-")
