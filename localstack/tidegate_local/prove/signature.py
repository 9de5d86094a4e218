"""Signs a report by an SSH key: `ssh-keygen -Y sign`, which anybody can verify who has the signer's public key."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tidegate_local.errors import ProofError

# What the signature is for: it can't be taken for one of something else.
NAMESPACE = "tidegate-prove"
_SIGNER = "prover"


def check_key(key: Path | None) -> None:
    """See that a report will be signed, before anything is deployed.

    Raises:
        ProofError: ssh-keygen or the key isn't there.
    """
    _ssh_keygen()
    if key is not None and not key.is_file():
        raise ProofError(f"--key is {key}, which is no file: name a private SSH key, such as ~/.ssh/id_ed25519")


def sign(file: Path, key: Path | None) -> tuple[Path, Path]:
    """Sign a file; returns the signature and the signer's public key, both beside it.

    Args:
        file: what is signed.
        key: a private SSH key; None makes one that is thrown away, so that the signature shows that nothing was
            changed since, and not who signed.

    Raises:
        ProofError: it can't be signed.
    """
    signature, public = file.with_name(f"{file.name}.sig"), file.with_name(f"{file.name}.pub")
    signature.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        if key is None:
            key = Path(scratch, "key")
            _run([_ssh_keygen(), "-q", "-t", "ed25519", "-N", "", "-C", "rehearsal", "-f", str(key)])
        _run([_ssh_keygen(), "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(file)])
        public.write_text(_run([_ssh_keygen(), "-y", "-f", str(key)]), encoding="utf-8")
    return signature, public


def verify(file: Path) -> bool:
    """Whether a file's signature is that of the public key beside it."""
    signature, public = file.with_name(f"{file.name}.sig"), file.with_name(f"{file.name}.pub")
    with tempfile.TemporaryDirectory() as scratch:
        signers = Path(scratch, "signers")
        signers.write_text(f"{_SIGNER} {public.read_text(encoding='utf-8')}", encoding="utf-8")
        words = [
            _ssh_keygen(),
            "-Y",
            "verify",
            "-f",
            str(signers),
            "-I",
            _SIGNER,
            "-n",
            NAMESPACE,
            "-s",
            str(signature),
        ]
        with file.open("rb") as signed:
            done = subprocess.run(words, stdin=signed, capture_output=True, check=False)  # noqa: S603 - our own words
    return done.returncode == 0


def _ssh_keygen() -> str:
    found = shutil.which("ssh-keygen")
    if found is None:
        raise ProofError("ssh-keygen is not on PATH, and signs the report: install OpenSSH's client")
    return found


def _run(words: Sequence[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise ProofError(f"`{' '.join(words[1:4])}` failed, so that the report isn't signed: {done.stderr.strip()}")
    return done.stdout
