"""Where a built asset will run: on AWS Lambda, or on this machine's local engine."""

import platform
import sys
import sysconfig
from dataclasses import dataclass

ARM64 = "arm64"
X86_64 = "x86_64"


@dataclass(frozen=True)
class Target:
    """A Python version on a platform, for which wheels are chosen and bytecode is compiled.

    `python` is major.minor; `platform` is uv's name for `--python-platform`, or None for this machine;
    `architecture` is Lambda's name.
    """

    python: str
    platform: str | None
    architecture: str

    @property
    def tag(self) -> str:
        """Name the target in file names and digests, such as py3.13-aarch64-manylinux2014."""
        return f"py{self.python}-{self.platform or sysconfig.get_platform()}"


# The engine runs functions on its own interpreter, which is the one that runs this.
HOST = Target(
    python=f"{sys.version_info.major}.{sys.version_info.minor}",
    platform=None,
    architecture=ARM64 if platform.machine().lower() in {"arm64", "aarch64"} else X86_64,
)
LAMBDA_ARM64 = Target(python="3.13", platform="aarch64-manylinux2014", architecture=ARM64)
LAMBDA_X86_64 = Target(python="3.13", platform="x86_64-manylinux2014", architecture=X86_64)
# AWS's image for Python functions, on this machine's processor.
CONTAINER = LAMBDA_ARM64 if HOST.architecture == ARM64 else LAMBDA_X86_64
