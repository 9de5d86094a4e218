"""The roles of the stage aws as they are written down, so that tests needn't synthesize them.

tests/infra/test_roles.py compares them with the template; after a change of grants write them anew:
`python -m tests.harness.iam.stage_roles`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.harness.iam.template import Resolver, Role, roles

# What the names of CodeDeploy's groups begin with among the places.
DEPLOYMENTS = "deployments of"
WRITTEN = Path(__file__).with_name("roles.json")
_ROOT = Path(__file__).parents[3]
_STACKS = ("", "codedeploy")
# By which variables a function finds what, and where that is told whole.
_PLACES = {
    "TIDEGATE_TABLE": "library",
    "TIDEGATE_PRODUCTS_TABLE": "products",
    "TIDEGATE_ORDERS_TABLE": "orders",
    "TIDEGATE_QUEUE_URL": "requests",
    "TIDEGATE_DEAD_LETTER_URL": "dead letters",
}


class StageRoles(NamedTuple):
    """The roles by their functions' names, what the functions work on, and the tables' partition keys.

    Attributes:
        roles: by the last part of a function's name; `machine` is the state machine's.
        places: the ARNs of tables, queues, functions and the machine, by what they are to the functions.
        keys: the partition key of each table and, after a slash, of its indexes.
    """

    roles: Mapping[str, Role]
    places: Mapping[str, str]
    keys: Mapping[str, str]

    def dumps(self) -> str:
        """Return them as JSON that tells by lines what has changed."""
        told = {name: role._asdict() for name, role in self.roles.items()}
        return json.dumps({"roles": told, "places": self.places, "keys": self.keys}, indent=1, sort_keys=True) + "\n"


def read(template: Mapping[str, Any], *more: Mapping[str, Any]) -> StageRoles:
    """Read them from a template; of `more` templates only the roles that this one hasn't."""
    places = _places(template["Resources"])
    found = roles(template)
    for other in more:
        found = {**roles(other), **found}
        places |= _deployments(other["Resources"])
    return StageRoles(found, places, _keys(template["Resources"], places))


def _deployments(resources: Mapping[str, Any]) -> dict[str, str]:
    """Return CodeDeploy's groups, which have their application's name before their own."""
    resolve = Resolver(resources)
    return {
        f"{DEPLOYMENTS} {logical}": resolve.arn(logical).replace(
            logical, f"{resolve(resource['Properties']['ApplicationName'])}/{logical}"
        )
        for logical, resource in resources.items()
        if resource["Type"] == "AWS::CodeDeploy::DeploymentGroup"
    }


def _places(resources: Mapping[str, Any]) -> dict[str, str]:
    resolve = Resolver(resources)
    places = dict[str, str]()
    for logical, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            places["machine"] = resolve.arn(logical)
        elif resource["Type"] == "AWS::Lambda::Function":
            places[str(properties["FunctionName"]).rsplit("-", 1)[-1]] = resolve.arn(logical)
            variables = properties["Environment"]["Variables"]
            places |= {_PLACES[name]: resolve.arn(of["Ref"]) for name, of in variables.items() if name in _PLACES}
    return places


def _keys(resources: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, str]:
    resolve = Resolver(resources)
    tables = {resolve.arn(name): of for name, of in resources.items() if of["Type"] == "AWS::DynamoDB::Table"}
    keys = dict[str, str]()
    for place, arn in places.items():
        properties = tables[arn]["Properties"] if arn in tables else None
        for index in properties.get("GlobalSecondaryIndexes", ()) if properties else ():
            keys[f"{place}/{index['IndexName']}"] = index["KeySchema"][0]["AttributeName"]
        if properties:
            keys[place] = properties["KeySchema"][0]["AttributeName"]
    return keys


@cache
def written() -> StageRoles:
    """Return the roles as they are written down."""
    told = json.loads(WRITTEN.read_text(encoding="utf-8"))
    return StageRoles({name: Role(**of) for name, of in told["roles"].items()}, told["places"], told["keys"])


def main() -> None:
    """Synthesize the stage, and write its roles down."""
    templates = []
    for rollout in _STACKS:
        with tempfile.TemporaryDirectory() as folder:
            context = ["-c", "stage=aws", *(["-c", f"rollout={rollout}"] if rollout else [])]
            command = [sys.executable, "-m", "tidegate_local", "cdk", "synth", *context, "--quiet", "--output", folder]
            subprocess.run(command, cwd=_ROOT, check=True)
            templates.append(json.loads(Path(folder, "Tidegate-aws.template.json").read_text(encoding="utf-8")))
    WRITTEN.write_text(read(*templates).dumps(), encoding="utf-8")


if __name__ == "__main__":
    main()
