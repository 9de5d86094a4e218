"""Somebody else's stack with a protected API: a CDK app of its own, without a flag of this repository's."""

import json
from pathlib import Path

from aws_cdk import App, Stack

from tidegate_cdk import ProtectedApi

CODE = Path(__file__).parents[2] / "examples/without_cdk/src"


class LettersStack(Stack):
    """`made(stack)` returns further arguments, and `more(stack)` makes what stands beside the API."""

    def __init__(self, scope, name="Letters", *, made=lambda _: {}, more=lambda _: None, **options):
        super().__init__(scope, name)
        self.letters = ProtectedApi(self, "Api", code=str(CODE), handler="app.handler", **made(self), **options)
        more(self)


class Letters:
    """The template of the stack with these arguments."""

    def __init__(self, folder, **options):
        app = App(outdir=str(folder))
        self.stack = LettersStack(app, **options)
        self.document = app.synth().get_stack_by_name("Letters").template

    def of(self, kind):
        return {name: made for name, made in self.document["Resources"].items() if made["Type"] == kind}

    def all(self, kind):
        return [made["Properties"] for made in self.of(kind).values()]

    def only(self, kind):
        (properties,) = self.all(kind)
        return properties

    def types(self):
        return {made["Type"] for made in self.document["Resources"].values()}

    def function(self, name="api"):
        (made,) = (of for of in self.all("AWS::Lambda::Function") if of.get("FunctionName") == f"Letters-{name}")
        return made

    def variables(self, name="api"):
        return self.function(name)["Environment"]["Variables"]

    def statements(self, name="api"):
        """What the role of a function may do."""
        role = self.function(name)["Role"]["Fn::GetAtt"][0]
        policies = [of for of in self.all("AWS::IAM::Policy") if {"Ref": role} in of["Roles"]]
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def methods(self):
        """Whether each method asks for a key, by path and verb."""
        resources = self.of("AWS::ApiGateway::Resource")

        def path(reference):
            name = reference.get("Ref")
            if name is None:
                return ""
            return f"{path(resources[name]['Properties']['ParentId'])}/{resources[name]['Properties']['PathPart']}"

        found = self.all("AWS::ApiGateway::Method")
        return {(path(of["ResourceId"]) or "/", of["HttpMethod"]): of.get("ApiKeyRequired", False) for of in found}

    def text(self):
        return json.dumps(self.document)
