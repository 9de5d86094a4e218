"""What cfn-lint finds in a template, by CloudFormation's own schemas."""

from pathlib import Path

from cfnlint import ConfigMixIn
from cfnlint.runner import Runner

# A dependency that a reference has already: CDK names both, and CloudFormation takes both.
NOT_LINTED = ["W3005"]


def findings(file: Path) -> list[str]:
    """Each as its rule, what is said, and where."""
    config = ConfigMixIn(["--regions", "eu-central-1", "--ignore-checks", *NOT_LINTED, "--template", str(file)])
    return [f"{match.rule.id} {match.message} {match.path}" for match in Runner(config).run()]
