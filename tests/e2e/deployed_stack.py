"""A stack that a test deploys to an engine by CloudFormation's own API, as the CDK CLI does."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tidegate_local import cloud

ASSETS = "cdk-hnb659fds-assets-000000000000-us-east-1"
_DEADLINE_S = 150


class DeployedStack:
    """The stack of a name on an engine."""

    def __init__(self, url: str, name: str, deadline_s: float = _DEADLINE_S) -> None:
        self.url, self.name, self._deadline_s = url, name, deadline_s

    def create(self, template: Mapping[str, Any], name: str | None = None) -> str:
        """Create a stack and return its status at the end."""
        with self.aws("cloudformation") as stacks:
            stacks.create_stack(
                StackName=name or self.name, TemplateURL=self._put(template), Capabilities=["CAPABILITY_IAM"]
            )
        return self.ended(name or self.name)

    def update(self, template: Mapping[str, Any]) -> str:
        """Update the stack and return its status at the end."""
        with self.aws("cloudformation") as stacks:
            stacks.update_stack(StackName=self.name, TemplateURL=self._put(template), Capabilities=["CAPABILITY_IAM"])
        return self.ended(self.name)

    def delete(self, name: str | None = None) -> str:
        """Delete a stack and return its status at the end."""
        with self.aws("cloudformation") as stacks:
            found = stacks.describe_stacks(StackName=name or self.name)["Stacks"][0]["StackId"]
            stacks.delete_stack(StackName=name or self.name)
        return self.ended(found)

    def ended(self, name: str) -> str:
        """Wait for the end of what is done to a stack, and return its status."""
        deadline = time.monotonic() + self._deadline_s
        with self.aws("cloudformation") as stacks:
            while (status := stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]).endswith("PROGRESS"):
                assert time.monotonic() < deadline, status
                time.sleep(0.2)
        return str(status)

    def reasons(self, name: str | None = None) -> list[str]:
        """Read why resources failed, the latest first."""
        with self.aws("cloudformation") as stacks:
            events = stacks.describe_stack_events(StackName=name or self.name)["StackEvents"]
        return [event["ResourceStatusReason"] for event in events if event.get("ResourceStatusReason")]

    def outputs(self) -> dict[str, str]:
        """Read the stack's outputs."""
        with self.aws("cloudformation") as stacks:
            found = stacks.describe_stacks(StackName=self.name)["Stacks"][0]["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def upload(self, assembly: Path) -> None:
        """Put a cloud assembly's assets where CDK's bootstrap has them."""
        files = json.loads((assembly / f"{self.name}.assets.json").read_text())["files"].values()
        with self.aws("s3") as s3:
            s3.create_bucket(Bucket=ASSETS)
            for file in files:
                if not file["source"]["path"].endswith(".template.json"):
                    (destination,) = file["destinations"].values()
                    body = _packed(assembly / file["source"]["path"])
                    s3.put_object(Bucket=ASSETS, Key=destination["objectKey"], Body=body)

    def aws(self, service: str) -> Any:
        """Make a client of the engine, which closes at the end of the block."""
        return closing(cloud.client(service, self.url))

    def _put(self, template: Mapping[str, Any]) -> str:
        key = f"template-{time.monotonic_ns()}.json"
        with self.aws("s3") as s3:
            s3.put_object(Bucket=ASSETS, Key=key, Body=json.dumps(template).encode())
        return f"{self.url}/{ASSETS}/{key}"


def _packed(asset: Path) -> bytes:
    """Return a file as it is, and a folder as an archive."""
    if asset.is_file():
        return asset.read_bytes()
    with io.BytesIO() as packed:
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted(path for path in asset.rglob("*") if path.is_file()):
                archive.write(file, file.relative_to(asset))
        return packed.getvalue()
