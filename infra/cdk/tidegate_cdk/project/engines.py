"""What an engine can't do, as settings of the local stage."""

from dataclasses import replace
from types import MappingProxyType

from tidegate_build.targets import CONTAINER
from tidegate_cdk.project.stages import LOCAL, Stage
from tidegate_cdk.setting_error import SettingError

LOCALSTACK = "localstack"
# One whose functions are containers: they are built for AWS's image, whatever this machine is.
LOCALSTACK_CONTAINERS = "localstack-containers"


def on_engine(stage: Stage, engine: object = None, former: object = None) -> Stage:
    """Adapt a stage to its engine by the values of the CDK context; raises SettingError, saying what is taken instead.

    `engine` is localstack or localstack-containers, or nothing for any other. `former` is for the first of a release's
    two deploys there: the logical ids of the published versions that the aliases stay at, as NAME:LOGICAL_ID with
    commas.
    """
    if engine:
        stage = _on(stage, str(engine))
    return _after(stage, str(former)) if former else stage


def _on(stage: Stage, engine: str) -> Stage:
    if engine not in {LOCALSTACK, LOCALSTACK_CONTAINERS}:
        raise SettingError(
            f"engine is {engine!r}: it takes {LOCALSTACK} or {LOCALSTACK_CONTAINERS}; leave it away for any other"
        )
    if stage.name != LOCAL.name:
        raise SettingError(
            f"stage {stage.name} takes no engine={engine}: write -c stage={LOCAL.name}, or leave -c engine away"
        )
    return replace(
        stage,
        target=CONTAINER if engine == LOCALSTACK_CONTAINERS else stage.target,
        layers_in_zips=True,
        trust_api_key_header=False,  # its events say which key it was
        release=replace(stage.release, by="two-deploys"),
    )


def _after(stage: Stage, former: str) -> Stage:
    if stage.release.by != "two-deploys":
        raise SettingError(f"former is for releases around two deploys: add -c engine={LOCALSTACK}, or leave it away")
    kept = dict[str, str]()
    for pair in former.split(","):
        function, _, logical_id = pair.partition(":")
        if not function or not logical_id.isalnum():
            raise SettingError(f"former is {former!r}: write NAME:LOGICAL_ID for each function, with commas between")
        kept[function] = logical_id
    return replace(stage, release=replace(stage.release, former=MappingProxyType(kept)))
