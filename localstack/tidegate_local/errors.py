"""What can go wrong on the local cloud, each with the mend in its message.

LocalCloudError
├── ToolMissingError      a tool is not on this machine and cannot be built here
├── StartError            Redis or the engine did not come up; the end of its log is in the message
├── EndpointError         nothing that speaks LocalStack's API answers at the given endpoint
├── DeploymentError       CDK failed, or what it deployed does not answer
├── SwapError             saved code can't be put in force without a deploy; what ran goes on
├── ReleaseError          a release was rolled back, or there is nothing to abort or to return to
├── ScenarioError         a scenario can't be played on this cloud as it is
├── ProofError            the proof on AWS can't be begun, or one of its steps found a fault
├── FactsError            [tool.tidegate] of pyproject.toml says something that can't be, or lacks something
├── ProjectError          there is no project, or none can be made so
├── StateError            .tidegate/state.json is absent where one is needed, or is not ours
└── BusyError             another `tidegate up` or `down` is at work on the same state folder
"""

from pathlib import Path


class LocalCloudError(Exception):
    """Anything that stops a `tidegate` command; the message says what to do about it."""


class ToolMissingError(LocalCloudError):
    """A tool is neither on PATH nor buildable here."""


class StartError(LocalCloudError):
    """A process of the local cloud died or stayed silent while starting."""


class EndpointError(LocalCloudError):
    """No LocalStack-compatible API answers at an endpoint."""


class DeploymentError(LocalCloudError):
    """A CDK command failed, or the deployed API does not answer."""


class SwapError(LocalCloudError):
    """Saved code can't be swapped; the code that ran goes on."""


class ReleaseError(LocalCloudError):
    """A release ended badly, or there is none."""


class ScenarioError(LocalCloudError):
    """A scenario can't be played, or a fault can't be made, on this cloud."""


class FactsError(LocalCloudError):
    """A fact of the project can't be as [tool.tidegate] says it."""


class ProjectError(LocalCloudError):
    """There is no project here, or one can't be made so."""


class ProofError(LocalCloudError):
    """The proof on AWS can't be begun, or a step of it doesn't hold."""


class StateError(LocalCloudError):
    """The state file is absent, unreadable or incomplete."""


class BusyError(LocalCloudError):
    """Another command holds the state folder."""


def log_tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log file, indented, with its path; empty logs say so."""
    try:
        tail = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        tail = []
    shown = "\n".join(f"  {line}" for line in tail) or "  (nothing was logged)"
    return f"{log}:\n{shown}"
