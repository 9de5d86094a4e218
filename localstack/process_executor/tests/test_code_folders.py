"""Where functions run from: unpacked once, shared, and gone with the last user."""

import json
from pathlib import Path

import pytest
from localstack_process_executor.code_folders import CodeFolders
from localstack_process_executor.function import Function
from localstack_process_executor.variables import process_variables


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_folder_is_made_once_and_removed_with_its_last_user(tmp_path):
    source = written(tmp_path / "source", {"app.py": "1"})
    folders = CodeFolders(tmp_path / "made")
    first, second, third = folders.hold("code:1", [source]), folders.hold("code:1", [source]), folders.hold("code:1")
    assert first == second == third
    folders.release("code:1")
    folders.release("code:1")
    assert (first / "app.py").read_text() == "1"
    folders.release("code:1")
    assert not first.exists()
    with pytest.raises(KeyError):
        folders.hold("code:1")


def test_the_code_stays_when_its_source_is_deleted(tmp_path):
    source = written(tmp_path / "source", {"package/module.py": "1"})
    folder = CodeFolders(tmp_path / "made").hold("code:1", [source])
    (source / "package/module.py").unlink()
    assert (folder / "package/module.py").read_text() == "1"


def test_later_layers_replace_files_of_earlier_ones_and_change_no_source(tmp_path):
    first = written(tmp_path / "first", {"python/both.py": "first", "python/one.py": "first"})
    second = written(tmp_path / "second", {"python/both.py": "second"})
    opt = CodeFolders(tmp_path / "made").hold("layers", [first, second])
    assert (opt / "python/both.py").read_text() == "second"
    assert (opt / "python/one.py").read_text() == "first"
    assert (first / "python/both.py").read_text() == "first"


def test_layers_are_imported_and_the_functions_own_code_goes_first(make_environment, invocation, tmp_path):
    layers = written(tmp_path / "opt", {"python/in_layer.py": "WHERE = 'layer'", "python/app.py": "raise SystemExit"})
    environment = make_environment(
        "import in_layer\ndef handler(event, context): return in_layer.WHERE\n", layers=layers
    )
    assert json.loads(environment.invoke(invocation()).payload) == "layer"


def test_a_process_gets_what_localstack_says_and_nothing_of_the_developers(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    function = Function("app.handler", "python3.13", "python", tmp_path / "task", tmp_path / "opt", 3, 128)
    given = {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": 128,
        "AWS_SESSION_TOKEN": "token",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_EXECUTION_ENV": "AWS_Lambda_rapid",
        "LOCALSTACK_RUNTIME_ID": "of the container",
    }
    variables = process_variables(given, function, tmp_path / "scratch")
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert variables["AWS_SESSION_TOKEN"] == "token"
    assert variables["LAMBDA_TASK_ROOT"] == str(tmp_path / "task")
    assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert variables["TMPDIR"] == variables["HOME"] == str(tmp_path / "scratch")
    assert variables["PATH"].endswith(str(tmp_path / "opt" / "bin"))
    assert not {"AWS_PROFILE", "PYTHONPATH", "LOCALSTACK_RUNTIME_ID"} & variables.keys()
