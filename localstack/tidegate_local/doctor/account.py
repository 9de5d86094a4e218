"""Where an AWS call from this shell goes, and as whom: the local stage must not be deployed to a real account."""

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import botocore.session
from botocore.exceptions import BotoCoreError

from tidegate_local.doctor.finding import Finding, failure, ok, warning
from tidegate_local.state import LocalState

ENDPOINT = "AWS_ENDPOINT_URL"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def findings(state: LocalState | None) -> Iterator[Finding]:
    """Look at each."""
    identity = _identity()
    yield of_credentials(identity)
    yield of_endpoint(os.environ, state.endpoint_url if state else None, credentials=isinstance(identity, str))


def of_credentials(identity: str | BotoCoreError | None) -> Finding:
    """Judge what boto3 would sign with: where it comes from, why it can't be read, or None."""
    if isinstance(identity, BotoCoreError):
        return warning("credentials", str(identity), "Unset AWS_PROFILE, or correct it; the local cloud needs neither.")
    if identity is None:
        return ok("credentials", "none; the local cloud needs none, `-c stage=aws` does")
    return ok("credentials", f"from {identity}; `tidegate` uses its own for the local cloud")


def of_endpoint(environ: Mapping[str, str], engine_url: str | None, *, credentials: bool) -> Finding:
    """Judge where a `cdk deploy` by hand would go.

    Args:
        environ: the shell's variables.
        engine_url: where the local engine is, if one is up.
        credentials: whether there are any that a real account might take.
    """
    told = environ.get(ENDPOINT)
    if told is None and engine_url is None:
        return ok(ENDPOINT, "unset; `make up` knows its engine, and `-c stage=aws` needs it unset")
    if told is None:
        where = "to the account of these credentials" if credentials else "to AWS"
        return warning(
            ENDPOINT,
            f"unset: `cdk deploy` of the local stage by hand goes {where}",
            f"`export {ENDPOINT}={engine_url}` before it; `make up` and `tidegate release` do without.",
        )
    host = urlsplit(told).hostname
    if host not in _LOOPBACK:
        return failure(ENDPOINT, f"{told} is no engine on this machine", f"Unset {ENDPOINT}, unless you mean that.")
    if engine_url is not None and urlsplit(told).port != urlsplit(engine_url).port:
        return warning(ENDPOINT, f"{told}, but the engine is at {engine_url}", f"`export {ENDPOINT}={engine_url}`")
    return ok(ENDPOINT, f"{told}; unset it before you deploy `-c stage=aws`")


def unmeant_account(arguments: list[str], environ: Mapping[str, str]) -> str | None:
    """Return the warning before a CDK command that sends the local stage to AWS; None if it doesn't."""
    if not {"deploy", "destroy", "bootstrap", "import"} & set(arguments[:1]) or environ.get(ENDPOINT):
        return None
    if any(
        word.removeprefix("--context=").startswith("stage=") and not word.endswith("stage=local") for word in arguments
    ):
        return None
    return (
        f"{ENDPOINT} is unset, so this {arguments[0]} of the local stage goes to AWS. If you mean the local cloud: "
        f"`make up` deploys to it, or set {ENDPOINT} to the engine that `make status` shows. For AWS: -c stage=aws."
    )


def _identity() -> str | BotoCoreError | None:
    try:
        session = botocore.session.Session()
        # The instance's own metadata service is asked over the network, and not by a laptop.
        session.get_component("credential_provider").remove("iam-role")
        found = session.get_credentials()
    except BotoCoreError as error:
        return error
    return None if found is None else str(found.method)
