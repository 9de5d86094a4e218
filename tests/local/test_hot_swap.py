"""Saved code answers the next request, without a deploy; what can't run never does, and a deploy leads back."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import zipfile
from pathlib import Path

import botocore.client
import pytest

from tidegate_local.errors import StateError, SwapError
from tidegate_local.hot import swap
from tidegate_local.layout import project_folder
from tidegate_local.lifecycle import status
from tidegate_local.state import LocalState

pytestmark = pytest.mark.slow

PATIENCE_S = 90.0
API, WORKER = "Tidegate-local-api", "Tidegate-local-worker"
HANDLER = """
import tidegate
from functions.api.words import WORD
def handler(event, context):
    return f"{WORD} {tidegate.WORD}"
"""
SOURCES = {
    "functions/__init__.py": "",
    "functions/api/__init__.py": "",
    "functions/api/words.py": "WORD = 'first'",
    "functions/api/handler.py": HANDLER,
    "functions/worker/__init__.py": "",
    "functions/worker/handler.py": HANDLER,
    "layers/tidegate/python/tidegate/__init__.py": "WORD = 'library'",
    "layers/tidegate/extensions/ext": "#!/bin/sh",
    "infra/stages.py": "",
}


def zipped(root, *names, below=""):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name.removeprefix(below), (root / name).read_text())
    return packed.getvalue()


class Sources:
    """A project's own, in a folder of the test's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in SOURCES.items():
            self.save(name, text)

    def save(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def word(self, said: str) -> None:
        self.save("functions/api/words.py", f"WORD = {said!r}")


@pytest.fixture
def sources(tmp_path):
    return Sources(tmp_path / "a project")


@pytest.fixture
def state(folder, running_engine, functions, sources):
    """Both functions with their layers, deployed as version 1 behind the alias `live`."""
    library = [name for name in SOURCES if name.startswith("layers/")]
    layers = [
        functions.publish_layer_version(LayerName=name, Content={"ZipFile": content})["LayerVersionArn"]
        for name, content in {
            "dependencies": zipped(sources.root, "infra/stages.py"),
            "library": zipped(sources.root, *library, below="layers/tidegate/"),
        }.items()
    ]
    for name in (API, WORKER):
        part = name.rpartition("-")[2]
        files = [name for name in SOURCES if name.startswith(("functions/__", "functions/api/", f"functions/{part}/"))]
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role="arn:aws:iam::000000000000:role/any",
            Handler=f"functions.{part}.handler.handler",
            Code={"ZipFile": zipped(sources.root, *files)},
            Layers=layers,
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
        functions.publish_version(FunctionName=name)
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    state = LocalState(
        api_url="http://127.0.0.1:1/api",
        endpoint_url=running_engine.url,
        redis_url="redis://127.0.0.1:1/0",
        engine="embedded",
        api_keys={},
        pids={},
        outputs={"FunctionName": API, "WorkerName": WORKER, "AliasName": "live"},
        started_at="",
        deployed="",
        stack_version="",
    )
    state.write(folder.state_file)
    yield state
    for name in (API, WORKER):
        functions.delete_function(FunctionName=name)


@pytest.fixture
def answer(functions):
    """`answer(name)` is what the function's alias answers now."""
    return lambda name=API: json.loads(functions.invoke(FunctionName=name, Qualifier="live")["Payload"].read())


@pytest.fixture
def swapped(folder, state, sources):
    """`swapped()` swaps what is saved; the functions that were, with their files."""
    return lambda: {one.function: one.files for one in swap.swap(folder, state, sources.root)}


def version(functions, name=API):
    return functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]


def test_what_is_deployed_already_is_not_swapped(swapped, answer, functions):
    assert swapped() == {}
    assert (answer(), version(functions)) == ("first library", "1")


def test_a_saved_file_answers_the_next_request(swapped, sources, answer):
    sources.word("second")
    assert swapped() == {"api": ("functions/api/words.py",), "worker": ("functions/api/words.py",)}
    assert (answer(), answer(WORKER)) == ("second library", "second library")
    sources.save("functions/worker/handler.py", HANDLER.replace("{WORD}", "{WORD}!"))
    assert swapped() == {"worker": ("functions/worker/handler.py",)}
    assert (answer(), answer(WORKER)) == ("second library", "second! library")
    assert swapped() == {}


def test_a_saved_file_of_the_library_does_too(swapped, sources, answer):
    sources.save("layers/tidegate/python/tidegate/__init__.py", "from tidegate.word import WORD")
    sources.save("layers/tidegate/python/tidegate/word.py", "WORD = 'other'")
    assert len(swapped()["api"]) == 2
    assert (answer(), answer(WORKER)) == ("first other", "first other")


def test_a_file_that_goes_is_gone(swapped, sources, answer):
    (sources.root / "functions/api/words.py").unlink()
    sources.save("functions/api/handler.py", "def handler(event, context):\n    return 'alone'")
    sources.save("functions/worker/handler.py", "def handler(event, context):\n    return 'alone'")
    assert "functions/api/words.py" in swapped()["api"]
    assert answer() == "alone"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("WORD = 1\nif WORD\n", r"^functions/api/words\.py:2: SyntaxError: "),
        ("WORD = WORDS", r"^api: .*WORDS"),
        ("OTHER = 1", r"^api: .*WORD"),
    ],
    ids=["syntax", "an error at its import", "a name that is missing"],
)
def test_what_cannot_run_is_refused_and_the_old_code_goes_on(swapped, sources, answer, functions, text, said):
    sources.save("functions/api/words.py", text)
    with pytest.raises(SwapError, match=said) as refused:
        swapped()
    assert str(refused.value).endswith("The code that ran goes on.")
    assert (answer(), version(functions)) == ("first library", "1")
    sources.word("mended")
    assert set(swapped()) == {"api", "worker"}
    assert answer() == "mended library"


def test_a_release_that_is_under_way_is_left_alone(swapped, sources, functions):
    functions.update_function_configuration(FunctionName=API, Description="another")
    functions.get_waiter("function_updated_v2").wait(FunctionName=API, WaiterConfig={"Delay": 0.05})
    functions.publish_version(FunctionName=API)
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    functions.update_alias(FunctionName=API, Name="live", RoutingConfig=weights)
    sources.word("second")
    with pytest.raises(SwapError, match="release --watch"):
        swapped()
    assert functions.get_alias(FunctionName=API, Name="live")["RoutingConfig"] == weights


def test_the_way_back_leads_to_what_was_deployed(folder, state, swapped, sources, answer, functions):
    before = {name: functions.get_function_configuration(FunctionName=name)["CodeSha256"] for name in (API, WORKER)}
    for said in ("second", "third", "fourth"):
        sources.word(said)
        sources.save("layers/tidegate/python/tidegate/__init__.py", f"WORD = {said!r}")
        swapped()
    assert answer() == "fourth fourth"
    assert sorted(swap.put_back(folder, state.endpoint_url)) == ["api", "worker"]
    assert (answer(), answer(WORKER)) == ("first library", "first library")
    for name, digest in before.items():
        assert version(functions, name) == "1"
        now = functions.get_function_configuration(FunctionName=name)
        assert (now["CodeSha256"], len(now["Layers"])) == (digest, 2)
        assert [one["Version"] for one in functions.list_versions_by_function(FunctionName=name)["Versions"]] == [
            "$LATEST",
            "1",
        ]
    assert not folder.hot.exists()
    assert swap.put_back(folder, state.endpoint_url) == []


def test_what_is_undone_is_as_it_was_deployed_again(folder, state, swapped, sources, answer, functions):
    sources.word("second")
    sources.save("layers/tidegate/python/tidegate/__init__.py", "WORD = 'other'")
    swapped()
    sources.word("first")
    swapped()
    assert (answer(), version(functions) != "1") == ("first other", True)
    sources.save("layers/tidegate/python/tidegate/__init__.py", "WORD = 'library'")
    back = list(swap.swap(folder, state, sources.root))
    assert [(one.function, one.as_deployed) for one in back] == [("api", True), ("worker", True)]
    assert (answer(), version(functions), version(functions, WORKER)) == ("first library", "1", "1")
    assert swap.in_force(folder, state, functions) == []
    sources.word("third")
    assert set(swapped()) == {"api", "worker"}
    assert answer() == "third library"


def test_the_way_back_out_of_a_refused_swap_is_open_too(folder, state, swapped, sources, answer, functions):
    before = functions.get_function_configuration(FunctionName=API)["CodeSha256"]
    sources.save("functions/api/words.py", "WORD = WORDS")
    with pytest.raises(SwapError):
        swapped()
    assert swap.put_back(folder, state.endpoint_url) == []
    assert functions.get_function_configuration(FunctionName=API)["CodeSha256"] == before


@pytest.mark.parametrize("swaps", [0, 1, 2])
def test_an_interrupted_swap_leads_back_and_can_be_made_again(  # noqa: PLR0917  fixtures
    folder, state, swapped, sources, answer, functions, monkeypatch, swaps
):
    said = "first"
    for number in range(swaps):
        said = f"swap {number}"
        sources.word(said)
        swapped()
    before = version(functions)
    sources.word("interrupted")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(botocore.client.BaseClient, "_make_api_call", at("UpdateAlias", interrupted))
        with pytest.raises(KeyboardInterrupt):
            swapped()
    assert (answer(), version(functions)) == (f"{said} library", before)
    assert "api" in swapped()
    assert answer() == "interrupted library"
    assert sorted(swap.put_back(folder, state.endpoint_url)) == ["api", "worker"]
    assert (answer(), version(functions)) == ("first library", "1")


def at(operation, does):
    """Boto3's call of an operation as another; all others are its own."""
    call = botocore.client.BaseClient._make_api_call
    return lambda client, name, words: does() if name == operation else call(client, name, words)


def test_what_is_known_of_another_engine_is_not_put_back(folder, state, swapped, sources, answer):
    sources.word("second")
    swapped()
    assert swap.put_back(folder, "http://127.0.0.1:1") == []
    assert answer() == "second library"


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"functions": {"api": {}}}'])
def test_a_record_of_another_version_is_not_guessed_at(folder, content):
    folder.hot.mkdir(parents=True)
    folder.hot_record.write_text(content)
    with pytest.raises(StateError, match="make down && make up"):
        swap.put_back(folder, "http://127.0.0.1:1")


def test_status_says_that_what_runs_was_not_deployed(folder, state, swapped, sources):
    assert "code" not in {part.name for part in status.inspect(folder, state)}
    sources.word("second")
    swapped()
    parts = {part.name: part for part in status.inspect(folder, state)}
    assert (parts["code"].state, parts["code"].well) == ("swapped into api and worker, not deployed", False)
    assert "tidegate release" in parts["code"].where


def test_an_engine_without_layers_is_told_of(folder, state, swapped, sources, functions):
    functions.update_function_configuration(FunctionName=API, Layers=[])
    with pytest.raises(SwapError, match="`make up` deploys it"):
        swapped()


FOLLOWING = """
from pathlib import Path
from rich.console import Console
from tidegate_local.cli import faults
from contextlib import suppress
from tidegate_local import interruption
from tidegate_local.hot.watching import Follower
from tidegate_local.layout import StateFolder
interruption.take()
with suppress(KeyboardInterrupt):  # as the command does
    Follower(StateFolder(Path({folder!r})), Console(), faults.sentence, Path({root!r})).follow()
"""


@contextlib.contextmanager
def following(folder, sources):
    """`tidegate watch` over the test's sources: `until(word)` reads its lines up to one with that word."""
    script = textwrap.dedent(FOLLOWING.format(folder=str(folder.path), root=str(sources.root)))
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=project_folder(), env=environ, stdout=subprocess.PIPE, text=True
    ) as process:

        def until(word):
            for line in process.stdout:
                if word in line:
                    return line
            pytest.fail(f"it ended before it said {word!r}")

        silent = threading.Timer(PATIENCE_S, process.kill)
        silent.start()
        try:
            until("Watching")
            yield until
        finally:
            silent.cancel()
            process.send_signal(signal.SIGINT)
            process.stdout.read()
    assert process.returncode == 0


def test_watching_swaps_what_is_saved_and_says_so(folder, state, sources, answer):
    with following(folder, sources) as until:
        sources.word("second")
        assert "1 file swapped in" in until("hot: api code of ")
        assert answer() == "second library"
        sources.save("functions/api/words.py", "WORD = ")
        assert "functions/api/words.py:1: SyntaxError" in until("refused: ")
        assert answer() == "second library"
        sources.save("infra/stages.py", "MORE = True")
        assert "infra/stages.py" in until("`make up` deploys it")
        sources.save("uv.lock", "other")
        assert "uv.lock" in until("`make up` deploys it")
        sources.word("third")
        assert "(`tidegate release`)" in until("hot: api code of 1 file")
        assert answer() == "third library"
