"""Where this process runs, by the variables of AWS and Lambda.

Source: "Defined runtime environment variables", AWS Lambda developer guide; "Python runtime for Lambda Managed
Instances" there; the variables of AWS Lambda Web Adapter in its user guide.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_ADAPTERS_WRAPPER, _ADAPTER = "/opt/bootstrap", "/opt/extensions/lambda-adapter"


def on_managed_instances(environ: Mapping[str, str]) -> bool:
    """Return whether this is a function on Lambda Managed Instances: one of several long-lived processes.

    There, unlike elsewhere on Lambda, an environment serves several requests at once, isn't frozen between them, isn't
    killed at its function's timeout, and shares `/tmp`.
    """
    return environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "lambda-managed-instances"


def behind_web_adapter(environ: Mapping[str, str]) -> bool:
    """Return whether AWS Lambda Web Adapter sends this function's events to a server in its sandbox.

    That is so if one of its own variables is set, if it wraps the runtime, or if it lies where Lambda starts it from.
    """
    if not (environ.get("AWS_LAMBDA_FUNCTION_NAME") and environ.get("AWS_LAMBDA_RUNTIME_API")):
        return False
    return (
        environ.get("AWS_LAMBDA_EXEC_WRAPPER") == _ADAPTERS_WRAPPER
        or any(name.startswith("AWS_LWA_") for name in environ)
        or Path(_ADAPTER).exists()
    )


class Runtime(NamedTuple):
    """Where a process runs.

    Attributes:
        region: AWS_REGION, which botocore doesn't read by itself; None: botocore's own settings.
        function: the function's name; None outside of Lambda.
        version: its version, `$LATEST` included; None outside of Lambda.
        managed_instances: whether it runs on Lambda Managed Instances.
        scratch: a folder that outlives the process within its sandbox. None outside of Lambda, and on Managed
            Instances, where several processes share the folder.
        web_adapter: whether AWS Lambda Web Adapter is in front of it.
    """

    region: str | None = None
    function: str | None = None
    version: str | None = None
    managed_instances: bool = False
    scratch: str | None = None
    web_adapter: bool = False

    @classmethod
    def here(cls) -> Runtime:
        """Return this process's."""
        return cls.of(os.environ)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Runtime:
        """Read it from environment variables."""
        region, function = environ.get("AWS_REGION", "").strip(), environ.get("AWS_LAMBDA_FUNCTION_NAME")
        version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        managed = on_managed_instances(environ)
        scratch = None if function is None or managed else environ.get("TMPDIR") or "/tmp"  # noqa: S108  the sandbox's
        return cls(region or None, function or None, version or None, managed, scratch, behind_web_adapter(environ))

    @property
    def on_lambda(self) -> bool:
        """Whether this process runs one request at a time, and nothing between requests."""
        return self.function is not None and not self.managed_instances

    @property
    def release(self) -> str:
        """The name of the running release, as the platform knows it."""
        return self.version or "local"

    @property
    def counted_as(self) -> tuple[str, str] | None:
        """The function and version whose outcomes are counted; None unless it is a published version, with a number."""
        if self.version is None or not self.version.isdigit():
            return None
        return self.function or "local", self.version
