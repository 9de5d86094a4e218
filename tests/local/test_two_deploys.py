"""A release around two deploys, interrupted at any of its steps: who comes next finishes it or puts it back."""

import json
from dataclasses import dataclass, field
from itertools import count

import pytest

from tests.local.test_stack_template import template
from tidegate_local.deployment.deployer import Stack
from tidegate_local.deployment.open_release import OpenRelease
from tidegate_local.deployment.release_machine import Ending
from tidegate_local.deployment.two_deploys import TwoDeploys
from tidegate_local.errors import DeploymentError, ReleaseError
from tidegate_local.stacks.template import live_versions


class KilledError(BaseException):
    """The command is killed."""


@dataclass
class Engine:
    """An engine that does what it is told; the command is killed before its call number `kill`, or right after it.

    Sources are a number, which the versions made of them have, too. A release of `bad` sources is rolled back, and
    while one of `fatal` sources is judged the machine dies and leaves a weight.
    """

    sources: int = 1
    bad: set = field(default_factory=set)
    fatal: set = field(default_factory=set)
    kill: float | None = None
    deployed: dict | None = None
    alias: tuple | None = None
    versions: list = field(default_factory=list)
    executions: dict = field(default_factory=dict)
    weights_moved_by_deploys: bool = False
    endpoint_url: str = "http://127.0.0.1:4566"
    calls: int = 0

    def step(self, act=lambda: None):
        self.calls += 1
        if self.kill == self.calls:
            raise KilledError
        done = act()
        if self.kill == self.calls + 0.5:
            raise KilledError
        return done

    # The deployer.
    def deploy(self, context):
        _, _, former = context.get("former", "").partition(":")
        return self.step(lambda: self._put(template(self.sources, int(former.removeprefix("version") or 0) or None)))

    def current(self):
        if self.deployed is None:
            return None
        order = {"Targets": [{"Name": "api", "Version": str(self._newest())}], "ServiceToken": "r", "Machine": "m"}
        return Stack({"ReleaseOrder": json.dumps(order)}, "1")

    # The stack's template.
    def read(self):
        return self.deployed

    def identity(self):
        return "stack" if self.deployed else None

    def await_rest(self):
        return "UPDATE_COMPLETE"

    def replace(self, wanted):
        self.step(lambda: self._put(wanted))

    def delete(self):
        self.step(self._forget)

    # The machine.
    def begin(self, kind, order, release_id):
        return self.step(lambda: self._begin(kind, int(order["Targets"][0]["Version"]), release_id))

    def ending(self, _, release_id):
        return self.step(lambda: self.executions.get(release_id))

    def in_force(self, _):
        return {"api": self.alias}

    def _put(self, wanted):
        self.deployed = wanted
        self.versions += [version for version in _made(wanted) if version not in self.versions]
        if self.alias is None:
            self.alias = (str(_live(wanted)), True)
        if self.weights_moved_by_deploys:
            self.alias = ("0", True)
        return self.current()

    def _forget(self):
        self.deployed, self.alias = None, None

    def _newest(self):
        return max(_made(self.deployed))

    def _begin(self, kind, version, release_id):
        if kind == "Update" and version <= int(self.alias[0]):
            self.alias = (str(version), True)
            return "Back, at once."
        if version in self.fatal:
            self.alias = (self.alias[0], False)
            self.executions[release_id] = Ending(well=False, reason="It died.", settled=False)
        elif version in self.bad:
            self.executions[release_id] = Ending(well=False, reason="It is worse.")
        else:
            self.alias = (str(version), True)
            self.executions[release_id] = Ending(well=True, reason="Promoted.")
        return None


def _made(deployed):
    return [int(name.removeprefix("version")) for name in deployed["Resources"] if name.startswith("version")]


def _live(deployed):
    return int(live_versions(deployed)["api"].removeprefix("version"))


def release(engine, tmp_path):
    engine.calls = 0
    return TwoDeploys(engine, engine, engine, tmp_path / "open-release.json", lambda _: None).deploy({})


def agreed(engine, version, tmp_path):
    """The template is what the sources of a version give, and the alias says the same, without weights."""
    assert engine.deployed == template(version)
    assert engine.alias == (str(version), True)
    assert not (tmp_path / "open-release.json").exists()


def test_a_good_release_is_in_force_and_in_the_template(tmp_path):
    engine = Engine()
    for engine.sources in (1, 2, 3):
        release(engine, tmp_path)
        agreed(engine, engine.sources, tmp_path)


def test_nothing_new_is_no_release(tmp_path):
    engine = Engine()
    release(engine, tmp_path)
    release(engine, tmp_path)
    assert len(engine.executions) == 1
    agreed(engine, 1, tmp_path)


@pytest.mark.parametrize("sort", ["bad", "fatal"])
def test_a_bad_one_is_put_back_and_does_not_block_the_next(tmp_path, sort):
    engine = Engine()
    release(engine, tmp_path)
    getattr(engine, sort).add(2)
    engine.sources = 2
    with pytest.raises(ReleaseError, match=r"Rolled back\. It"):
        release(engine, tmp_path)
    agreed(engine, 1, tmp_path)
    engine.sources = 3
    release(engine, tmp_path)
    agreed(engine, 3, tmp_path)


def test_a_first_one_that_is_bad_leaves_nothing(tmp_path):
    engine = Engine(bad={1})
    with pytest.raises(ReleaseError, match="It is worse"):
        release(engine, tmp_path)
    assert engine.deployed is None
    engine.sources = 2
    release(engine, tmp_path)
    agreed(engine, 2, tmp_path)


@pytest.mark.parametrize("following", ["good", "bad"])
@pytest.mark.parametrize("sort", ["good", "bad", "fatal"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_whenever_it_is_killed_the_next_one_finds_its_way(tmp_path, first, sort, following):
    for half_steps in count(2):
        engine = Engine()
        if not first:
            release(engine, tmp_path)
        engine.sources, engine.kill = engine.sources + 1, half_steps / 2
        if sort != "good":
            getattr(engine, sort).add(engine.sources)
        try:
            release(engine, tmp_path)
        except KilledError:
            engine.kill = None
            follow(engine, following, tmp_path)
        except ReleaseError:
            break
        else:
            break
    assert half_steps > 6  # it was killed before and after three calls at least, and came to its end at last


def follow(engine, sort, tmp_path):
    """Release once more: a good one is in force; a bad one leaves what was in force before it, if anything."""
    engine.sources += 1
    if sort == "good":
        release(engine, tmp_path)
        agreed(engine, engine.sources, tmp_path)
        return
    engine.bad.add(engine.sources)
    with pytest.raises(ReleaseError):
        release(engine, tmp_path)
    if engine.deployed is not None:
        agreed(engine, int(engine.alias[0]), tmp_path)
        assert int(engine.alias[0]) < engine.sources


def test_a_deploy_that_moves_an_alias_is_told(tmp_path):
    engine = Engine()
    release(engine, tmp_path)
    engine.sources, engine.weights_moved_by_deploys = 2, True
    with pytest.raises(DeploymentError, match="The deploy changed the aliases"):
        release(engine, tmp_path)


def test_what_was_left_by_an_engine_that_is_gone_is_forgotten(tmp_path):
    OpenRelease("release-1", "http://127.0.0.1:1", "stack", template(7), None).write(tmp_path / "open-release.json")
    engine = Engine()
    release(engine, tmp_path)
    agreed(engine, 1, tmp_path)
