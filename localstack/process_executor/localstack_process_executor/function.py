"""What is run, and what goes in and out."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Function:
    """One version of a function, ready to run.

    Attributes:
        handler: as in Lambda's configuration: `module.function`.
        runtime: as in Lambda's configuration: `python3.13`.
        python: the interpreter, which must be able to import awslambdaric.
        task_root: the folder with the code, LAMBDA_TASK_ROOT.
        layers_root: the folder that stands for /opt; None without layers.
        timeout_s: seconds that an invocation may take.
        memory_mb: what is shown to the function and in REPORT lines; nothing enforces it.
    """

    handler: str
    runtime: str
    python: str
    task_root: Path
    layers_root: Path | None
    timeout_s: float
    memory_mb: int


@dataclass(frozen=True)
class Invocation:
    """One event on its way to the function; the payload is JSON."""

    request_id: str
    function_arn: str
    payload: bytes
    trace_id: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came of an invocation: the payload is the function's JSON, or an error object if `is_error`."""

    payload: bytes
    is_error: bool
    logs: str
