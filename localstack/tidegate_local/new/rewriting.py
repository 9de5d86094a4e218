"""How a file of this repository reads in a project: pure, text in and text out."""

import re
from collections.abc import Callable
from pathlib import Path

from tidegate_local.errors import ProjectError
from tidegate_local.new.project import AwsSettings, Project
from tidegate_local.new.starter import module, readme, registered

# These are the same everywhere: the library, and what makes LocalStack run.
_AS_THEY_ARE = (
    "layers/",
    "localstack/process_executor/",
    "localstack/host_mode/",
    "localstack/init/",
    "docs/",
    "LICENSE",
)
_STACK = re.compile(r"\bTidegate-(?=local\b|aws\b|\{(self\.)?stage)")
# What GitHub does for a project: checks, deploys, and rolls back.
_WORKFLOWS = Path(__file__).with_name("workflows")
# Make's targets whose tests and benchmarks are the library's, and stay with it.
_NOT_TAKEN = ("bench", "storm", "release-demo", "test-lowest")


def rewritten(file: str, text: str, project: Project, settings: AwsSettings) -> str:
    """Return a file's text in the project.

    Raises:
        ProjectError: it isn't what this expects, so the copy would be half this project, half the other.
    """
    if file.startswith(_AS_THEY_ARE):
        return text
    text = _STACK.sub(f"{project.stack}-", text)
    special = _SPECIAL.get(file)
    return text if special is None else special(text, project, settings)


def _project_file(text: str, project: Project, _settings: AwsSettings) -> str:
    text = _once(text, 'name = "tidegate"\n', f'name = "{project.name}"\n')
    text = _once(text, '["tests", "localstack/process_executor/tests"]', '["tests"]')
    # All groups stay, the benchmarks' too: the lock holds them, and a new one needs the network.
    return re.sub(
        r'^description = ".*"$', f'description = "{project.title}, on Tidegate."', text, count=1, flags=re.MULTILINE
    )


def _lock(text: str, project: Project, _settings: AwsSettings) -> str:
    return text.replace('name = "tidegate"\n', f'name = "{project.name}"\n').replace(
        '    "tidegate",\n', f'    "{project.name}",\n'
    )


def _makefile(text: str, _project: Project, _settings: AwsSettings) -> str:
    for target in _NOT_TAKEN:
        text, found = re.subn(rf"^{target}: setup ##.*?(?=^\S)", "", text, count=1, flags=re.MULTILINE | re.DOTALL)
        if not found:
            raise ProjectError(f"The Makefile's target {target} isn't where `tidegate new` expects it.")
        text = re.sub(rf"^(\.PHONY:.*) {target}\b", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"^# Sockets and tasks that peers .*?\n\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^# The library alone: .*?\n(?=\S*:)", "", text, flags=re.MULTILINE | re.DOTALL)
    text = _once(text, "`bench` are the peers, `demo` draws", "`demo` draws")
    return _once(text, "tests/e2e tests/scenarios tests/host_mode localstack/process_executor/tests -p", "tests/e2e -p")


def _ci(text: str, _project: Project, _settings: AwsSettings) -> str:
    return _once(text, "# The library again, at the lowest versions that it says it takes.\nmake test-lowest\n", "")


def _stack(text: str, project: Project, _settings: AwsSettings) -> str:
    text = _once(text, 'NAMESPACE = "Tidegate"', f'NAMESPACE = "{project.stack}"')
    text = _once(text, 'f"tidegate-{stage.name}"', f'f"{project.name}-{{stage.name}}"')
    return _once(text, "Tidegate: a protected API behind API Gateway", f"{project.title}: an API behind Tidegate")


def _pipeline(text: str, project: Project, _settings: AwsSettings) -> str:
    return _once(text, 'PREFIX = "Tidegate"', f'PREFIX = "{project.stack}"')


def _stages(text: str, _project: Project, settings: AwsSettings) -> str:
    local, mark, aws = text.partition("\nAWS = Stage(\n")
    for name, value in settings.changes().items():
        aws, found = re.subn(rf"^(    {name}=)\d[\d_]*,.*$", rf"\g<1>{value},", aws, count=1, flags=re.MULTILINE)
        if not found:
            raise ProjectError(f"infra/stages.py has no {name} for the stage aws.")
    return local + mark + aws


def _app(text: str, project: Project, _settings: AwsSettings) -> str:
    for argument, value in (("title", project.title), ("summary", f"{project.title}, behind Tidegate.")):
        text, found = re.subn(rf'^( +{argument}=)".*",$', rf'\g<1>"{value}",', text, flags=re.MULTILINE)
        if found != 1:
            raise ProjectError(f"functions/api/app.py has {argument}= {found} times, not once: is it changed?")
    return registered(text, project.routes)


def _once(text: str, before: str, after: str) -> str:
    if text.count(before) != 1:
        raise ProjectError(f"{before!r} isn't where `tidegate new` expects it, once: is this checkout changed?")
    return text.replace(before, after)


_SPECIAL: dict[str, Callable[[str, Project, AwsSettings], str]] = {
    "pyproject.toml": _project_file,
    "uv.lock": _lock,
    "Makefile": _makefile,
    ".ci/run": _ci,
    "infra/pipeline.py": _pipeline,
    "infra/stack.py": _stack,
    "infra/stages.py": _stages,
    "functions/api/app.py": _app,
}


def written_anew(project: Project) -> dict[str, str]:
    """Return the files that only the project has."""
    files = {"README.md": readme(project), "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n"}
    for workflow in sorted(_WORKFLOWS.glob("*.yml")):
        text = workflow.read_text(encoding="utf-8").replace("STACK-", f"{project.stack}-")
        files[f".github/workflows/{workflow.name}"] = text
    for route in project.routes:
        files |= module(route)
    return files
