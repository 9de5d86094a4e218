"""What is in the archives: sizes, bytecode, binaries, and nothing that no function needs."""

import importlib.metadata
import marshal
import struct
import sys
import types
import zipfile

import pytest

from tidegate_build.bytecode import LAYER_ROOT, TASK_ROOT
from tidegate_build.dependencies import RECIPE, Recipe
from tidegate_build.targets import ARM64
from tidegate_build.toolchain import find_interpreter

from .conftest import ROOT

MB = 1_000_000
# Lambda's quotas: an archive as uploaded, and a function with its layers unpacked.
ZIPPED_AT_MOST = 50 * MB
UNPACKED_AT_MOST = 250 * MB
UNCHECKED = 0b01
MACHINES = {ARM64: 183, "x86_64": 62}  # EM_AARCH64, EM_X86_64 of the ELF header
RECIPE_READ = Recipe.read(RECIPE)


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_sizes_are_within_lambda_s_limits(artefact, capsys):
    zipped = {name: asset.path.stat().st_size for name, asset in artefact.assets.items()}
    counts = {name: len(zipfile.ZipFile(asset.path).namelist()) for name, asset in artefact.assets.items()}
    unpacked = sum(map(size, artefact.trees()))
    with capsys.disabled():
        parts = ", ".join(f"{name} {zipped[name] / MB:.2f} MB in {counts[name]} files" for name in zipped)
        print(f"\n{artefact.target.tag}: {parts}; unpacked together {unpacked / MB:.1f} MB")  # noqa: T201  to be read
    assert max(zipped.values()) < ZIPPED_AT_MOST
    assert unpacked < UNPACKED_AT_MOST


def test_every_module_has_its_bytecode(artefact):
    interpreter = find_interpreter(artefact.target.python)
    if interpreter is None:
        pytest.skip(f"no Python {artefact.target.python} on this machine: its assets ship without bytecode")
    for tree in artefact.trees():
        for source in tree.rglob("*.py"):
            assert (source.parent / "__pycache__" / f"{source.stem}.{interpreter.cache_tag}.pyc").exists(), source


def test_bytecode_is_of_the_target_s_version_and_never_checked(unpacked, artefact):
    compiled = [path for tree in artefact.trees() for path in tree.rglob("*.pyc")]
    if not compiled:
        pytest.skip("this machine had no interpreter to compile with")
    # Both are 3.13 on a machine that has it: then one magic number serves as the other's witness.
    assert len({path.read_bytes()[:4] for path in compiled}) == 1
    assert {struct.unpack("<I", path.read_bytes()[4:8])[0] for path in compiled} == {UNCHECKED}


def test_tracebacks_name_files_where_lambda_unpacks_them(unpacked):
    local = unpacked["local"]
    for tree, installed_at in ((local.task, TASK_ROOT), (local.packages, LAYER_ROOT)):
        for compiled in tree.rglob("*.pyc"):
            code = marshal.loads(compiled.read_bytes()[16:])
            assert isinstance(code, types.CodeType)
            assert code.co_filename.startswith(f"{installed_at}/"), compiled


def test_packages_without_sources_are_those_of_the_recipe(artefact):
    if not list(artefact.packages.rglob("*.pyc")):
        pytest.skip("this machine had no interpreter to compile with")
    sourceless = {
        compiled.relative_to(artefact.packages).parts[0]
        for compiled in artefact.packages.rglob("*.pyc")
        if compiled.parent.name != "__pycache__"
    }
    assert sourceless == set(RECIPE_READ.slimming.sourceless)


def test_binaries_are_of_the_target_s_machine(artefact):
    binaries = [path for tree in artefact.trees() for path in tree.rglob("*.so*")]
    if sys.platform != "linux" and artefact.target.platform is None:
        pytest.skip("the engine runs these on a system that has no ELF files")
    assert binaries
    for binary in binaries:
        header = binary.read_bytes()[:20]
        assert header[:4] == b"\x7fELF", binary
        assert struct.unpack("<H", header[18:20])[0] == MACHINES[artefact.target.architecture], binary


def test_aws_gets_manylinux_wheels_alone(unpacked):
    wheels = {path.name for path in unpacked["aws"].packages.rglob("*.so*")}
    assert all("aarch64-linux-gnu" in name or ".abi3." in name for name in wheels), wheels
    assert not list(unpacked["aws"].packages.rglob("*.pyd"))


def test_what_the_recipe_drops_is_gone(artefact):
    for pattern in RECIPE_READ.slimming.drop:
        left = [path for path in artefact.packages.glob(pattern) if path.is_file()]
        assert not left, pattern


def test_only_the_named_services_are_described(artefact):
    for folder, kept in RECIPE_READ.slimming.services.items():
        assert {path.name for path in (artefact.packages / folder).iterdir() if path.is_dir()} == kept
    # The files beside them tell botocore the endpoints, the partitions, and when to try again.
    described = {path.name for path in (artefact.packages / "botocore/data").iterdir() if path.is_file()}
    assert {"endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json"} <= described


def test_packages_keep_their_names_versions_and_licences(artefact):
    found = {d.name: d for d in importlib.metadata.distributions(path=[str(artefact.packages)])}
    assert {"boto3", "fastapi", "hiredis", "mangum", "pydantic", "pynamodb"} <= set(found)
    for name, distribution in found.items():
        assert distribution.version, name
    licences = {path.parent.parent.name for path in artefact.packages.glob("*.dist-info/licenses/*")}
    assert any(name.startswith("fastapi-") for name in licences)


def test_the_project_s_own_tools_stay_out(artefact):
    for name in ("aws_cdk", "ministack", "pytest", "moto", "redis", "typer", "uvicorn", "tidegate_local"):
        assert not (artefact.packages / name).exists(), name


def test_the_library_ships_whole(artefact):
    package = ROOT / "layers" / "tidegate" / "python" / "tidegate"
    sources = {path.relative_to(package) for path in package.rglob("*") if path.is_file()}
    sources = {path for path in sources if "__pycache__" not in path.parts and path.suffix != ".pyc"}
    shipped = {path.relative_to(artefact.packages / "tidegate") for path in (artefact.packages / "tidegate").rglob("*")}
    assert sources <= shipped
