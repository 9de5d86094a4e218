"""What the words of `tidegate release` come to."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from tests.local.test_state import STATE
from tidegate_cdk.strategy import STRATEGIES
from tidegate_local import ports
from tidegate_local.cli import commands
from tidegate_local.cli.commands import app
from tidegate_local.releases import command as release_command


@pytest.fixture
def release(monkeypatch):
    """Runs the command; returns its result and how the release was to go."""
    ways = []
    monkeypatch.setattr(release_command, "run", lambda stage, way, *_: ways.append((stage, way)))

    def run(*words):
        return CliRunner().invoke(app, ["release", *words]), ways

    return run


def test_nothing_said_is_left_to_the_stage(release):
    _, ways = release()
    assert ways == [("local", {})]


@pytest.mark.parametrize("reason", ["orders fail since 2:10", "  orders fail\n since   2:10 "])
def test_a_reason_goes_into_the_release_as_one_line(release, reason):
    _, ways = release("--stage", "aws", "--into-incident", reason)
    assert ways == [("aws", {"into_incident": "orders fail since 2:10"})]


@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
def test_no_reason_is_no_way_into_an_incident(release, reason):
    result, ways = release("--into-incident", reason)
    assert result.exit_code == 2
    assert "needs a reason" in " ".join(result.stderr.split())
    assert ways == []


@pytest.mark.parametrize(
    "words", [["--watch", "--abort"], ["--abort", "--go-on"], ["--recover", "--watch"], ["--skip", "A"]]
)
def test_words_that_make_no_sense_together_are_refused(release, words):
    result, ways = release(*words)
    assert (result.exit_code, ways) == (2, [])


@pytest.mark.parametrize("words", [["--watch"], ["--abort"], ["--recover"], ["--go-on"]])
def test_without_a_cloud_it_says_how_to_have_one(folder, monkeypatch, words):
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(folder.path))
    result = CliRunner().invoke(app, ["release", *words])
    assert result.exit_code == 1
    assert "Start it with `make up`" in result.stderr


@pytest.mark.parametrize("left", [None, STATE], ids=["none before", "one whose engine is gone"])
def test_where_no_cloud_is_up_it_says_which_engine_it_starts(folder, monkeypatch, left):
    def bring_up(_, *, steps, way):
        with steps.step("Engine") as step:
            step.note = f"MiniStack for {way['strategy']}"

    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(folder.path))
    monkeypatch.setattr(commands, "bring_up", bring_up)
    if left:
        replace(left, endpoint_url=f"http://127.0.0.1:{ports.free_port()}").write(folder.state_file)
    said = CliRunner().invoke(app, ["release", "--strategy", "linear"]).stdout
    assert "No cloud is up" in said
    assert "MiniStack for linear" in said


@pytest.mark.parametrize("strategy", [*STRATEGIES, "5", "1,10,50", "0.5,25,100"])
def test_a_strategy_goes_into_the_release(release, strategy):
    _, ways = release("--strategy", strategy)
    assert ways == [("local", {"strategy": strategy})]


@pytest.mark.parametrize("strategy", ["canry", "Canary", "", "1,,2", "1;10", "canary,50", "-5"])
def test_an_unknown_strategy_is_refused_before_a_deploy(release, strategy):
    result, ways = release("--strategy", strategy)
    assert (result.exit_code, ways) == (2, [])
