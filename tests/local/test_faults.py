"""Any command ends in one sentence that says what to do, whatever it meets; and leaves nothing half-started."""

import errno
import os
import subprocess
import sys
from importlib.metadata import entry_points

import httpx
import pytest
import typer
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    ReadTimeoutError,
)
from typer.testing import CliRunner

from tidegate_local import __main__, files, processes, registry
from tidegate_local.cli import commands, faults
from tidegate_local.engines import process
from tidegate_local.errors import ReleaseError
from tidegate_local.processes import CommandError
from tidegate_local.redis import server as redis_server


def refused(code, operation="GetAlias"):
    return ClientError({"Error": {"Code": code, "Message": "Cannot find alias arn"}}, operation)


def of_the_system(number, file="/tmp/x"):
    return OSError(number, os.strerror(number), file)


EXPECTED = [
    (ReleaseError("Rolled back. It is worse."), "Rolled back. It is worse."),
    (of_the_system(errno.ENOSPC), "/tmp/x: The disk is full. Make room on it"),
    (of_the_system(errno.EDQUOT), "quota"),
    (of_the_system(errno.EROFS), "TIDEGATE_STATE_DIR"),
    (of_the_system(errno.EACCES), "Permission denied"),
    (of_the_system(errno.EMFILE), "ulimit -n"),
    (of_the_system(errno.ENOENT), "isn't there"),
    (of_the_system(errno.EIO), os.strerror(errno.EIO)),
    (OSError("a reason of its own"), "a reason of its own"),
    (refused("ResourceNotFoundException"), "GetAlias found nothing: Cannot find alias arn"),
    (refused("ExpiredTokenException"), "Log in again"),
    (refused("AccessDeniedException"), "isn't allowed"),
    (refused("ThrottlingException"), "again in a moment"),
    (refused("InternalError"), "GetAlias was refused: InternalError"),
    (NoCredentialsError(), "make doctor"),
    (ProfileNotFound(profile="prod"), "prod"),
    (NoRegionError(), "make doctor"),
    (EndpointConnectionError(endpoint_url="http://e"), "`make up` starts it again"),
    (ConnectTimeoutError(endpoint_url="http://e"), "`make up` starts it again"),
    (ReadTimeoutError(endpoint_url="http://e"), "`make up` starts it again"),
    (httpx.ConnectError("refused"), "`make up` starts it again"),
    (subprocess.CalledProcessError(2, ["uv"]), "exit status 2"),
    (subprocess.TimeoutExpired(["uv"], 3), "timed out"),
    (CommandError(["/bin/npm"], 1), "npm ended with status 1"),
]


@pytest.mark.parametrize(("error", "words"), EXPECTED, ids=lambda value: type(value).__name__)
def test_a_fault_that_may_happen_has_a_sentence(error, words):
    assert words in faults.sentence(error)


@pytest.mark.parametrize("error", [KeyError("x"), TypeError(), AssertionError(), ZeroDivisionError()])
def test_a_fault_of_the_program_s_own_is_no_sentence(error):
    assert faults.sentence(error) is None


COMMANDS = {
    "up": ["up"],
    "down": ["down"],
    "status": ["status"],
    "logs": ["logs", "--no-follow"],
    "dev": ["dev"],
    "watch": ["watch"],
    "tools": ["tools"],
    "migrate": ["migrate"],
    "release": ["release"],
    "rollback": ["rollback"],
    "release-library": ["release-library", "0.2.0"],
    "console": ["console"],
    "scenario": ["scenario", "storm"],
    "doctor": ["doctor"],
    "new": ["new", "shop"],
    "upgrade": ["upgrade", "0.2.0"],
    "wheels": ["wheels", "--out", "wheels"],
    "cdk": ["cdk", "ls"],
    "prove-aws": ["prove-aws", "--dry-run"],
    "layer": ["layer", "build"],
}


def test_these_are_all_commands():
    assert sorted(COMMANDS) == sorted(typer.main.get_command(commands.app).commands)


@pytest.mark.parametrize("name", sorted(COMMANDS))
@pytest.mark.parametrize(
    ("error", "status", "words"),
    [(of_the_system(errno.ENOSPC), 1, "The disk is full"), (KeyboardInterrupt(), 130, "Interrupted.")],
    ids=["full disk", "Ctrl-C"],
)
def test_every_command_ends_in_a_sentence(monkeypatch, name, error, status, words):
    command = typer.main.get_command(commands.app)

    def fails(*_, **__):
        raise error

    monkeypatch.setattr(command.commands[name], "invoke", fails)
    monkeypatch.setattr(typer.main, "get_command", lambda _: command)
    monkeypatch.setattr("typer.testing._get_command", lambda _: command)
    done = CliRunner().invoke(commands.app, COMMANDS[name])
    assert done.exit_code == status
    assert words in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize("room_for", [0, 1], ids=["at the first record", "at the next"])
def test_a_full_disk_leaves_nothing_running(folder, monkeypatch, room_for):
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(folder.path))
    started, written = [], []

    def spawned(*words, **how):
        started.append(processes.spawn(*words, **how))
        return started[-1]

    def full(file, content):
        if len(written) >= room_for:
            raise of_the_system(errno.ENOSPC, str(file))
        written.append(file)
        files.write_atomically(file, content)

    monkeypatch.setattr(registry, "write_atomically", full)
    for module in (process, redis_server):
        monkeypatch.setattr(module, "spawn", spawned)
    done = CliRunner().invoke(commands.app, ["up"])
    assert done.exit_code == 1
    assert "The disk is full" in done.stderr
    assert "Traceback" not in done.output
    assert started
    assert not any(processes.is_running(one) for one in started)


class Interrupting:
    """Ctrl-C, while the command's modules are imported."""

    def find_spec(self, name, *_):
        if name == commands.__name__:
            raise KeyboardInterrupt


def test_an_interrupt_of_the_first_second_is_quiet(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, commands.__name__)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_the_program_begins_where_that_is_seen_to():
    (program,) = entry_points(group="console_scripts", name="tidegate")
    assert program.value == f"{__main__.__name__}:main"
