"""The stage aws' template without what the embedded engine refuses; what refers to that has a literal in its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.services.cloudformation import provisioners

Template = dict[str, Any]
# Why each type may be missing: what isn't here is made, or the test fails.
REFUSED = {
    "AWS::EC2::FlowLog": "the engine has no packets to log",
    "AWS::EC2::SecurityGroupEgress": "the engine has no packets to filter",
    "AWS::EC2::SecurityGroupIngress": "as above",
    "AWS::ElastiCache::ServerlessCache": "a real Redis in cluster mode behind TLS and IAM is in its place",
    "AWS::WAFv2::WebACLAssociation": "the engine filters no requests",
}


def fitted(template: Mapping[str, Any], redis_url: str) -> tuple[Template, set[str]]:
    """Return the template for the engine, and the types that it leaves out.

    Metric-math alarms, which the engine can't evaluate, go too, and CDK's check of its bootstrap. `redis_url` is the
    cache's.
    """
    resources = template["Resources"]
    left_out = {name: resource["Type"] for name, resource in resources.items() if not _is_known(resource["Type"])}
    math = {name for name, resource in resources.items() if "Metrics" in resource.get("Properties", {})}
    gone = {*left_out, *math}
    caches = {name for name, kind in left_out.items() if kind == "AWS::ElastiCache::ServerlessCache"}
    kept = {
        name: {key: value for key, value in resource.items() if key != "DependsOn"} | _waits(resource, gone)
        for name, resource in resources.items()
        if name not in gone
    }
    fitted_resources = _without(kept, lambda name: name in gone)
    for resource in fitted_resources.values():
        variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        if caches and "TIDEGATE_REDIS_URL" in variables:
            variables["TIDEGATE_REDIS_URL"] = redis_url
    outputs = {name: of for name, of in template.get("Outputs", {}).items() if not _refers(of, gone)}
    return {"Resources": fitted_resources, "Outputs": outputs}, set(left_out.values())


def released(template: Mapping[str, Any], function: str, key: str) -> Template:
    """Return the template with other code of a function, at `key`, as CDK synthesizes it: its version is a new one."""
    resources = json.loads(json.dumps(template["Resources"]))
    (logical,) = (
        name
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
        and resource["Properties"]["FunctionName"].endswith(f"-{function}")
    )
    resources[logical]["Properties"]["Code"]["S3Key"] = key
    (version,) = (
        name
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Version" and resource["Properties"]["FunctionName"] == {"Ref": logical}
    )
    renamed = re.sub(r"CurrentVersion.*", "CurrentVersion", version) + re.sub(r"\W", "", key)
    text = json.dumps({**template, "Resources": resources}).replace(f'"{version}"', f'"{renamed}"')
    found: Template = json.loads(text)
    return found


def _is_known(kind: str) -> bool:
    return kind in provisioners._RESOURCE_HANDLERS or kind.startswith("Custom::")


def _waits(resource: Mapping[str, Any], gone: set[str]) -> Template:
    waits = resource.get("DependsOn", [])
    kept = [name for name in ([waits] if isinstance(waits, str) else waits) if name not in gone]
    return {"DependsOn": kept} if kept else {}


def _without(value: Any, is_gone: Callable[[str], bool]) -> Any:
    if isinstance(value, list):
        return [_without(part, is_gone) for part in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"} and is_gone(value["Ref"]):
        return f"left-out-{value['Ref']}"
    if set(value) == {"Fn::GetAtt"}:
        logical, *_ = value["Fn::GetAtt"] if isinstance(value["Fn::GetAtt"], list) else value["Fn::GetAtt"].split(".")
        if is_gone(logical):
            return f"arn:aws:none:us-east-1:000000000000:left-out-{logical}"
    return {name: _without(part, is_gone) for name, part in value.items()}


def _refers(value: Any, gone: set[str]) -> bool:
    return any(f'"{name}"' in json.dumps(value) for name in gone)
