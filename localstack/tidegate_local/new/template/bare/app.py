"""The CDK app: what is deployed. `tidegate up` and `tidegate release` say which stage, `make cdk` what you like."""

from pathlib import Path

from tidegate_cdk import Paths, Smoke
from tidegate_cdk.project import ProjectStack, synthesize
from tidegate_local.project_facts import ProjectFacts

ROOT = Path(__file__).parent
FACTS = ProjectFacts.read(ROOT)


def compose(stack: ProjectStack) -> None:
    """Give the stack its API. Each argument of ProtectedApi may be given here, in place of the stage's."""
    stack.serve(
        "api.app.handler",
        paths=Paths("/v1"),
        smoke=[Smoke(asked.path, asked.status) for asked in FACTS.smoke],
    )


if __name__ == "__main__":
    synthesize(compose, FACTS.stack, root=ROOT)
