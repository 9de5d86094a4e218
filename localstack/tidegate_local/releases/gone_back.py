"""Whether somebody has gone back, by hand, behind the newest version that was promoted."""

from contextlib import closing

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import cloud
from tidegate_local.releases.item import Releases
from tidegate_local.state import LocalState


def gone_back(state: LocalState) -> str | None:
    """Say why no old form may go: the version in force isn't the newest that was promoted, and may need it.

    None: it is that one, or there was no release yet.
    """
    outputs, url = state.outputs, state.endpoint_url
    if not outputs.keys() >= {"FunctionName", "AliasName", "TidegateTable"}:
        return None  # a stack without releases
    api = outputs["FunctionName"]
    with closing(cloud.client("lambda", url)) as functions, closing(cloud.client("dynamodb", url)) as dynamodb:
        try:
            release = Releases(dynamodb, outputs["TidegateTable"], "local").latest()
            now = functions.get_alias(FunctionName=api, Name=outputs["AliasName"])["FunctionVersion"]
        except (BotoCoreError, ClientError) as error:
            return f"Which version is in force can't be asked, and it may need the old form: {error}"
    promoted = [int(versions[api]) for versions in release.promotions if api in versions] if release else []
    if not promoted or now == str(max(promoted)):
        return None
    return (
        f"{api} version {now} is in force, and not {max(promoted)}, the newest: it may need the old form. "
        "Release what is to be in force; its contract follows."
    )
