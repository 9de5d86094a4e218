"""The main stack's template: what is deployed, what is to follow it, and how it is replaced past CDK."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tidegate_local import interruption
from tidegate_local.errors import DeploymentError
from tidegate_local.stacks.description import described, is_absent, status_of
from tidegate_local.stacks.status import Standing, standing

# infra/cdk/tidegate_cdk/api/two_deploys.py writes it: by a former version's logical id that of the version which is to
# follow it.
FOLLOWED = "Tidegate::FollowedBy"
Template = Mapping[str, Any]

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_DEADLINE_S = 300.0
_LOOK_EVERY_S = 0.5


def live_versions(template: Template) -> dict[str, str]:
    """Return the logical ids of the versions that the aliases name, by their functions' names."""
    resources = template["Resources"]
    aliases = [made["Properties"] for made in resources.values() if made["Type"] == "AWS::Lambda::Alias"]
    versions = [alias["FunctionVersion"]["Fn::GetAtt"][0] for alias in aliases]
    return {resources[version]["Properties"]["FunctionName"]: version for version in versions}


def followed(template: Template) -> Template:
    """Return the template of a release's second deploy: the aliases name the versions that were released.

    It is what CDK makes of the same sources without `former`; one that holds no alias is returned as it is.
    """
    metadata = dict(template.get("Metadata", {}))
    following: Mapping[str, str] = metadata.pop(FOLLOWED, {})
    resources = {name: made for name, made in template["Resources"].items() if name not in following}
    for name, made in resources.items():
        if made["Type"] == "AWS::Lambda::Alias":
            resources[name] = _naming(made, following)
    rest = {name: part for name, part in template.items() if name != "Metadata"}
    return {**rest, **({"Metadata": metadata} if metadata else {}), "Resources": resources}


def _naming(alias: Mapping[str, Any], following: Mapping[str, str]) -> dict[str, Any]:
    former, attribute = alias["Properties"]["FunctionVersion"]["Fn::GetAtt"]
    named = {"Fn::GetAtt": [following.get(former, former), attribute]}
    return {**alias, "Properties": {**alias["Properties"], "FunctionVersion": named}}


@dataclass(frozen=True)
class StackTemplate:
    """The template of a deployed stack (a boto3 client of CloudFormation)."""

    client: Any
    stack: str

    def read(self) -> Template | None:
        """Return the template as it was deployed; None: there is no such stack."""
        try:
            body = self.client.get_template(StackName=self.stack, TemplateStage="Original")["TemplateBody"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        template: Template = json.loads(body) if isinstance(body, str) else body
        return template

    def identity(self) -> str | None:
        """Return the stack's id, which no later stack of that name has; None: there is no such stack."""
        found = described(self.client, self.stack)
        return str(found["StackId"]) if found else None

    def replace(self, template: Template) -> None:
        """Deploy another template, whose assets are there; returns when it is done.

        Raises:
            DeploymentError: CloudFormation refused it, or failed.
        """
        if template == self.read():
            return
        body = json.dumps(template, separators=(",", ":"))
        try:
            self.client.update_stack(StackName=self.stack, TemplateBody=body, Capabilities=_CAPABILITIES)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return
            raise DeploymentError(
                f"The stack {self.stack} can't be updated: {error}. Run the command again."
            ) from error
        self._ended_as("UPDATE_COMPLETE")

    def delete(self) -> None:
        """Delete the stack; returns when it is gone.

        Raises:
            DeploymentError: CloudFormation failed.
        """
        self.client.delete_stack(StackName=self.stack)
        self._ended_as("DELETE_COMPLETE")

    def await_rest(self) -> str:
        """Wait for the end of what CloudFormation is doing to the stack, and return its status."""
        deadline = time.monotonic() + _DEADLINE_S
        while standing(status := self._status()) is Standing.AT_WORK and time.monotonic() < deadline:
            interruption.check()
            time.sleep(_LOOK_EVERY_S)
        return status

    def _ended_as(self, wanted: str) -> None:
        status = self.await_rest()
        if status != wanted:
            raise DeploymentError(
                f"The stack {self.stack} is {status} where it should be {wanted}. `make logs` and engine.log may tell "
                "why; `make down && make up` starts anew."
            )

    def _status(self) -> str:
        return status_of(described(self.client, self.stack)) or "DELETE_COMPLETE"
