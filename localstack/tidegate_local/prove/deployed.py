"""Run the end-to-end tests against a stack that is deployed: `python -m tidegate_local.prove.deployed OUTPUTS`.

OUTPUTS is what `cdk deploy --outputs-file` wrote of one stack. A pipeline runs it between staging and production.
"""

import json
import sys
import tempfile
from pathlib import Path

from tidegate_local import cloud
from tidegate_local.deployment import seed
from tidegate_local.errors import LocalCloudError, ProofError
from tidegate_local.lifecycle.up import await_ready
from tidegate_local.project_facts import ProjectFacts
from tidegate_local.prove.aws_site import deployed_state
from tidegate_local.prove.steps.suite import tested


def main(arguments: list[str]) -> str:
    """Run them, and return what was seen.

    Raises:
        LocalCloudError: OUTPUTS is of no stack, the API isn't ready, or a test failed.
    """
    if len(arguments) != 1:
        raise ProofError("This wants one file: make test-deployed OUTPUTS=cdk-outputs.json")
    try:
        told = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        (outputs,) = told.values()
    except (OSError, ValueError, AttributeError) as error:
        raise ProofError(
            f"{arguments[0]} isn't the outputs of one stack ({error}); see cdk deploy --outputs-file"
        ) from error
    state = deployed_state(outputs)
    facts = ProjectFacts.read()
    seed.sow(cloud.AWS, outputs, facts)
    await_ready(state, facts.readiness)
    with tempfile.TemporaryDirectory() as folder:
        return tested(state, Path(folder), {}).what


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{main(sys.argv[1:])}\n")
    except LocalCloudError as error:
        sys.exit(f"error: {error}")
