"""LocalStack as a container: what Docker is asked for, and what is said where it fails; a stand-in plays Docker."""

import re
import stat

import pytest
import yaml

from tidegate_local.engines import containers, host_environment, image
from tidegate_local.engines.containers import Containers
from tidegate_local.engines.localstack import LocalStack
from tidegate_local.errors import LocalCloudError, StartError, ToolMissingError
from tidegate_local.layout import COMPOSE_FILE, DOCKERFILE, INIT_SCRIPTS, OFFICIAL_COMPOSE_FILE, PLATFORM
from tidegate_local.lifecycle.down import take_down

DOCKER = """#!/bin/sh
said="image=$LOCALSTACK_IMAGE engine=$TIDEGATE_ENGINE_PORT redis=$TIDEGATE_REDIS_PORT kit=$DOCKER_BUILDKIT"
echo "$@ $said" >> {calls}
case "$*" in {fails}) echo "{says}" >&2; exit 1;; esac
"""
ASKED_FOR = ("LOCALSTACK_AUTH_TOKEN", "LOCALSTACK_IMAGE", image.BASE, "PIP_INDEX_URL", "PIP_CERT", "REDIS_URL")


@pytest.fixture(autouse=True)
def _nothing_is_asked_for(monkeypatch):
    for name in ASKED_FOR:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """`docker(fails, says)` puts a docker on PATH that fails at those words; returns the file of its calls."""

    def install(fails="nothing", says=""):
        program, calls = tmp_path / "bin" / "docker", tmp_path / "calls"
        program.parent.mkdir()
        program.write_text(DOCKER.format(calls=calls, fails=fails, says=says))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return calls

    return install


@pytest.mark.parametrize(
    ("fails", "says", "told"),
    [
        ("version*", "Cannot connect to the Docker daemon", "no Docker engine answers. Cannot connect"),
        ("compose\\ version*", "unknown command", "its compose plugin is not. unknown command"),
    ],
)
def test_a_docker_that_does_not_work_is_named_with_what_works_without(docker, folder, registry, fails, says, told):
    docker(fails, says)
    for needs in (LocalStack().preparing, lambda of: LocalStack().ensure(of, registry)):
        with pytest.raises(ToolMissingError, match=rf"{re.escape(told)}(.|\n)*make up ENGINE=localstack-host"):
            needs(folder)
    assert containers.recorded(folder) is None


@pytest.mark.parametrize("fails", ["version*", "compose*down*"])
def test_containers_that_can_not_be_removed_say_what_to_do(docker, folder, fails):
    docker(fails, "the daemon is gone")
    containers.wanted(folder).up(folder, redis=True)
    with pytest.raises(LocalCloudError, match=r"daemon is gone(.|\n)*start Docker(.|\n)*containers\.json") as told:
        take_down(folder)
    assert "localstack-host" not in str(told.value)
    assert containers.recorded(folder) is not None


def test_no_docker_is_named_with_what_works_without(folder, registry, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match=r"not on PATH\.\nWithout Docker .* make up ENGINE=localstack-host"):
        LocalStack().ensure(folder, registry)


def test_an_image_that_is_there_is_not_built(docker, folder, tmp_path):
    calls = docker()
    assert LocalStack().preparing(folder) is None
    assert image.ensure(tmp_path / "log", "") == image.name("")
    assert "build" not in calls.read_text()


def test_an_image_that_is_missing_is_built_as_this_machine_fetches(docker, monkeypatch, folder):
    monkeypatch.setenv(image.BASE, "mine:13")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.test/simple")
    monkeypatch.setenv("PIP_CERT", "/certificates.pem")
    calls = docker("image\\ inspect*")
    assert "minutes, once" in str(LocalStack().preparing(folder))
    containers.wanted(folder).up(folder, redis=True)
    assert (
        f"build --progress plain --tag {image.name('mine:13')} --build-arg BASE=mine:13 "
        "--build-arg PIP_INDEX_URL=https://index.test/simple --secret id=certificates,src=/certificates.pem "
        f"{PLATFORM} image= engine= redis= kit=1"
    ) in calls.read_text().splitlines()


def test_a_build_that_fails_is_quoted_and_says_what_to_do(docker, folder):
    docker("image\\ inspect* | build*", "no such host: registry")
    with pytest.raises(ToolMissingError, match=r"no such host(.|\n)*LOCALSTACK_BASE_IMAGE=IMAGE(.|\n)*localstack-host"):
        Containers.fresh(folder, 4567, 6380).up(folder, redis=True)
    assert containers.recorded(folder) is None


def test_the_images_name_changes_with_its_base():
    assert image.name("mine:13") != image.name("")


def test_a_cloud_that_is_up_keeps_its_base_in_a_shell_that_does_not_say_it(docker, folder, monkeypatch):
    monkeypatch.setenv(image.BASE, "mine:13")
    calls = docker()
    containers.wanted(folder).up(folder, redis=True)
    monkeypatch.delenv(image.BASE)
    calls.unlink()
    LocalStack().preparing(folder)
    containers.wanted(folder).up(folder, redis=True)
    take_down(folder)
    assert image.name("mine:13") in calls.read_text()
    assert image.name("") not in calls.read_text()
    assert containers.wanted(folder).base == ""


def test_a_base_that_is_named_goes_before_the_one_on_record(docker, folder, monkeypatch):
    docker()
    containers.wanted(folder).up(folder, redis=True)
    monkeypatch.setenv(image.BASE, "other:13")
    assert containers.wanted(folder).base == "other:13"


def test_the_image_is_made_of_the_lock_and_holds_no_root():
    steps = DOCKERFILE.read_text(encoding="utf-8")
    assert f"COPY host_mode/{host_environment.LOCK.name} /build/{host_environment.LOCK.name}\n" in steps
    assert f"--require-hashes --requirement /build/{host_environment.LOCK.name}\n" in steps
    assert steps.index("USER localstack") < steps.index("CMD [")
    copied = re.findall(r"^COPY (\w+) ", steps, re.MULTILINE)
    assert {PLATFORM / name for name in copied} == {*host_environment.SOURCES, INIT_SCRIPTS}
    ignored = (PLATFORM / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in copied} <= set(ignored)


@pytest.mark.parametrize(("redis", "services"), [(True, "localstack redis"), (False, "localstack")])
def test_containers_are_recorded_before_they_start_and_removed_by_down(docker, folder, redis, services):
    calls = docker()
    run = Containers.fresh(folder, 4567, 6380)
    run.up(folder, redis=redis)
    assert containers.recorded(folder) == run
    assert take_down(folder) == ("containers",)
    assert containers.recorded(folder) is None
    compose = f"compose --project-name {run.project} --file {COMPOSE_FILE}"
    filled_in = f"image={image.name('')} engine=4567 redis=6380 kit="
    said = calls.read_text().splitlines()
    assert f"{compose} up --detach --wait {services} {filled_in}" in said
    assert said[-1] == f"{compose} down --volumes --remove-orphans {filled_in}"


def test_containers_that_fail_to_start_stay_recorded_and_docker_is_quoted(docker, folder):
    docker("compose*up*", "container localstack is unhealthy")
    with pytest.raises(StartError, match="localstack is unhealthy"):
        Containers.fresh(folder, 4567, 6380).up(folder, redis=True)
    assert containers.recorded(folder) is not None


@pytest.mark.parametrize(
    ("environ", "asked_for"),
    [
        ({"LOCALSTACK_IMAGE": "localstack/localstack:4.14.0"}, "localstack/localstack:4.14.0"),
        ({"LOCALSTACK_AUTH_TOKEN": "t"}, "localstack/localstack:latest"),
        ({"LOCALSTACK_AUTH_TOKEN": "t", "LOCALSTACK_IMAGE": "mine:1"}, "mine:1"),
    ],
)
def test_an_image_of_localstacks_own_is_not_built(monkeypatch, docker, folder, environ, asked_for):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    calls = docker("image\\ inspect*")
    run = containers.wanted(folder)
    run.up(folder, redis=True)
    [said] = calls.read_text().splitlines()
    assert f"--file {COMPOSE_FILE} --file {OFFICIAL_COMPOSE_FILE} up --detach --wait localstack" in said
    assert f"image={asked_for} " in said
    assert run.environment()["TIDEGATE_REDIS_IMAGE"] == "redis:7.4-alpine"


def test_localstacks_own_image_stays_in_a_shell_that_does_not_say_it(monkeypatch, docker, folder):
    calls = docker("image\\ inspect*")
    monkeypatch.setenv("LOCALSTACK_AUTH_TOKEN", "t")
    containers.wanted(folder).up(folder, redis=True)
    monkeypatch.delenv("LOCALSTACK_AUTH_TOKEN")
    containers.wanted(folder).up(folder, redis=True)
    take_down(folder)
    first, again, *_, down = calls.read_text().splitlines()
    assert "--no-recreate" not in first
    kept = "up --detach --wait --no-recreate localstack redis image=localstack/localstack:latest "
    assert f"--file {OFFICIAL_COMPOSE_FILE} {kept}" in again
    assert f"--file {OFFICIAL_COMPOSE_FILE} down" in down


VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")


@pytest.mark.parametrize(
    ("file", "users_own"), [(COMPOSE_FILE, set()), (OFFICIAL_COMPOSE_FILE, {"LOCALSTACK_AUTH_TOKEN", "DOCKER_SOCK"})]
)
def test_a_compose_file_takes_its_settings(file, users_own):
    text = file.read_text(encoding="utf-8")
    assert text.count("${") == len(VARIABLE.findall(text)), "a variable without a default"
    ours = Containers("p", 1, 2).environment().keys()
    assert {name for name, _ in VARIABLE.findall(text)} - ours == users_own


def test_the_compose_file_publishes_on_loopback_and_mounts_nothing():
    services = yaml.safe_load(VARIABLE.sub(r"\2", COMPOSE_FILE.read_text(encoding="utf-8")))["services"]
    assert set(services) == {"localstack", "redis"}
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        assert "volumes" not in service, name


def test_the_official_image_gets_the_init_scripts_and_the_socket():
    services = yaml.safe_load(VARIABLE.sub(r"\2", OFFICIAL_COMPOSE_FILE.read_text(encoding="utf-8")))["services"]
    mounts = dict(volume.split(":")[:2] for volume in services["localstack"]["volumes"])
    assert mounts == {"./init": "/etc/localstack/init", "/var/run/docker.sock": "/var/run/docker.sock"}
    assert (COMPOSE_FILE.parent / "init" / "start.d").is_dir()
