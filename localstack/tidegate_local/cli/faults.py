"""The faults that any command may meet, each as one sentence that says what to do: pure.

What isn't one of them is a fault of this program's own, and shows its traceback.
"""

import errno
import subprocess
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import httpx
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from tidegate_build.shipped import ArchiveMissingError
from tidegate_build.toolchain import BuildError
from tidegate_local.errors import LocalCloudError
from tidegate_local.processes import CommandError

_ON_DISK: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: "The disk is full. Make room on it (`make clean` removes what was built here), and try again.",
        errno.EDQUOT: "Your quota of the disk is used up. Make room (`make clean` removes what was built here).",
        errno.EROFS: "The disk can't be written to. Name a folder that can in TIDEGATE_STATE_DIR.",
        errno.EACCES: "Permission denied. Is it another user's? `ls -l` shows whose it is.",
        errno.EPERM: "Not permitted. Is it another user's? `ls -l` shows whose it is.",
        errno.EMFILE: "Too many open files. Raise the limit: ulimit -n 4096.",
        errno.ENFILE: "This machine has too many open files. Close what isn't needed, and try again.",
        errno.ENOMEM: "This machine has no memory left. Close what isn't needed, and try again.",
        errno.ENOENT: "It isn't there. Is this checkout whole? `git status` shows what is missing.",
    }
)
_ABSENT = frozenset({"ResourceNotFoundException", "NotFoundException", "NoSuchEntity", "StateMachineDoesNotExist"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_BUSY = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "ProvisionedThroughputExceeded"})


def sentence(error: BaseException) -> str | None:
    """Say an expected fault, and what to do about it; None: it isn't one."""
    for kinds, said in _SENTENCES:
        if isinstance(error, kinds):
            return said(error)
    return None


def _refused(error: ClientError) -> str:
    about, operation = error.response.get("Error", {}), error.operation_name
    code, message = about.get("Code", ""), about.get("Message") or str(error)
    if code in _ABSENT:
        return (
            f"{operation} found nothing: {message}. It was deleted, or never deployed: `tidegate status` shows what is "
            "there, `tidegate release --recover` restores aliases, and docs/night.md says what else helps."
        )
    if code in _EXPIRED:
        return f"The credentials have expired: {message}. Log in again, and run the command again."
    if code in _DENIED:
        return f"{operation} isn't allowed: {message}. `make doctor` shows whose credentials these are."
    if code in _BUSY:
        return f"{operation} was throttled: {message}. Run the command again in a moment."
    return f"{operation} was refused: {code}: {message}"


def _of_the_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    known = _ON_DISK.get(error.errno or 0)
    return f"{where}{known or error.strerror or error}"


# The first that fits: a connection's error is botocore's, too.
_SENTENCES: tuple[tuple[tuple[type[BaseException], ...], Callable[[Any], str]], ...] = (
    ((LocalCloudError, ArchiveMissingError, BuildError), str),
    ((ClientError,), _refused),
    (
        (NoCredentialsError, PartialCredentialsError, ProfileNotFound),
        lambda error: f"{error}. `make doctor` shows which credentials are found; the local cloud needs none.",
    ),
    (
        (BotoConnectionError, HTTPClientError, httpx.TransportError),
        lambda error: f"No answer: {error}. `make status` shows what runs, `make up` starts it again.",
    ),
    ((BotoCoreError,), lambda error: f"{error}. `make doctor` looks at what AWS calls need."),
    (
        (subprocess.SubprocessError, CommandError),
        lambda error: f"{error}. `make doctor` looks at the programs that are needed.",
    ),
    ((OSError,), _of_the_system),
)
