"""Words and projects that a command can't take: refused at once, in a sentence, and in JSON where JSON is read."""

import json

import pytest
from typer.testing import CliRunner

from tidegate_local import ports
from tidegate_local.cli.commands import app
from tidegate_local.errors import ProjectError, StartError
from tidegate_local.layout import project_folder
from tidegate_local.releases import command as release_command


@pytest.fixture
def tidegate(tmp_path, monkeypatch):
    """Runs a command where no cloud is up, without an account."""
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(tmp_path / "state"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("words", [["status"], ["status", "--stage", "aws"], ["doctor", "--stage", "aws"]])
def test_whoever_reads_json_reads_an_error_in_json(tidegate, words):
    result = tidegate(*words, "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)["error"]
    assert said.split("\n")[0] in result.stderr


def test_without_json_an_error_is_on_the_error_stream_alone(tidegate):
    result = tidegate("status")
    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize(
    "words",
    [
        ["--strategy", "50,10"],
        ["--strategy", "0"],
        ["--strategy", "10,150"],
        ["--strategy", ""],
        ["--step-s", "0"],
        ["--step-s", "-5"],
    ],
)
def test_a_way_that_no_release_goes_is_refused_before_anything_starts(tidegate, monkeypatch, words):
    ways = []
    monkeypatch.setattr(release_command, "run", lambda *given: ways.append(given))
    result = tidegate("release", *words)
    assert (result.exit_code, ways) == (2, [])
    assert f"{words[0]} is" in " ".join(result.stderr.split())


@pytest.mark.parametrize("strategy", ["canary", "5,25", "0.5,1", "50,100", "100"])
def test_a_way_that_a_release_goes_is_taken(tidegate, monkeypatch, strategy):
    ways = []
    monkeypatch.setattr(release_command, "run", lambda stage, way, *_: ways.append(way))
    assert tidegate("release", "--strategy", strategy).exit_code == 0
    assert ways == [{"strategy": strategy}]


@pytest.mark.parametrize("port", [-1, 65_536, 99_999_999])
def test_a_number_that_is_no_port_is_refused_in_a_sentence(tidegate, port):
    result = tidegate("console", "--port", str(port))
    assert (result.exit_code, result.stderr) == (1, f"error: Port {port} is none: write 1 to 65535.\n")


def test_the_ports_end_where_there_are_no_more():
    with ports.listen_from(65_535, tries=1), pytest.raises(StartError, match=r"Port 65535 on 127\.0\.0\.1 is taken"):
        ports.listen_from(65_535)


BROKEN = "[tool.tidegate\n"


@pytest.mark.parametrize("named", [False, True])
def test_a_broken_project_is_named_and_no_other_one_is_taken(tmp_path, monkeypatch, named):
    (tmp_path / "pyproject.toml").write_text(BROKEN)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.delenv("TIDEGATE_PROJECT", raising=False)
    if named:
        monkeypatch.setenv("TIDEGATE_PROJECT", str(tmp_path))
    with pytest.raises(ProjectError, match=r"pyproject\.toml can't be read: .*Mend it, or name another"):
        project_folder()


@pytest.mark.parametrize("text", ["tool = 5\n", "[oops\n", "", "[tool]\nruff = 1\n"])
def test_a_file_of_no_project_is_passed_over(tmp_path, monkeypatch, text):
    (tmp_path / "pyproject.toml").write_text('[tool.tidegate]\nreadiness = "/up"\n')
    below = tmp_path / "below"
    below.mkdir()
    (below / "pyproject.toml").write_text(text)
    monkeypatch.chdir(below)
    monkeypatch.delenv("TIDEGATE_PROJECT", raising=False)
    assert project_folder() == tmp_path
