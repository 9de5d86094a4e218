"""cfn-lint over every variant's template, and cdk-nag's AwsSolutions over the stage with everything switched on.

A method has one authorizer, so that AwsSolutions judges a second stage, with that of an OIDC issuer.
"""

import csv
import json
from contextlib import suppress
from fnmatch import fnmatch

import pytest
from aws_cdk import App, Aspects
from cdk_nag import AwsSolutionsChecks

from infra.stack import TidegateStack
from infra.stages import AWS
from tests.infra import linted
from tests.infra.conftest import CONTEXT, EVERYTHING, OF_AN_ISSUER, ROOT, VARIANTS
from tidegate_build.assets import Workspace
from tidegate_cdk.project.options import with_options

pytestmark = [pytest.mark.xdist_group("templates"), pytest.mark.slow]

# What AwsSolutions asks for and this stack doesn't do: the rule, where, and why not.
SUPPRESSED = (
    ("AwsSolutions-APIG2", "*/Gateway/Api/Resource", "The application validates, by its own models."),
    (
        "AwsSolutions-APIG4",
        "*/Gateway/Api/Default/health/*",
        "Probes of health have no key.",
    ),
    ("AwsSolutions-APIG6", "*/DeploymentStage.api/*", "Execution logs hold bodies; the access log has every request."),
    ("AwsSolutions-COG4", "*/Gateway/Api/Default/health/*", "As APIG4: whoever asks for health has no token."),
    ("AwsSolutions-COG4", "*-aws/Default/Gateway/Api/Default/v1/*", "The tokens are of another issuer than Cognito."),
    (
        "AwsSolutions-IAM5",
        "*/Gateway/AccessLog/Writes/*",
        "All APIs' logs, as API Gateway wants it.",
    ),
    (
        "AwsSolutions-IAM5",
        "*/DefaultPolicy/Resource",
        "Interfaces, X-Ray, versions: test_grants.py has each.",
    ),
    ("AwsSolutions-L1", "*", "Packages are built for Python 3.13, on which CI tries them."),
    ("AwsSolutions-SF1", "*/Release/Machine", "An execution's history and the release's report hold every step."),
    ("AwsSolutions-SF2", "*/Release/Machine", "As SF1; its calls of functions are traced as those functions' own."),
)


# The plain stage is the provisioned one without one property.
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_cloudformation_s_own_schemas_find_nothing(name, variant, tmp_path):
    synthesized = variant(name)
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps(synthesized.document))
    assert linted.findings(file) == []


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """(rule, resource) of all that AwsSolutions finds."""
    outdir = tmp_path_factory.mktemp("nag")
    app = App(context=CONTEXT, outdir=str(outdir))
    for options in (EVERYTHING, OF_AN_ISSUER):
        stage = with_options(AWS, options.get)
        TidegateStack(app, f"Tidegate-{stage.name}", stage=stage, workspace=Workspace.at(ROOT))
    Aspects.of(app).add(AwsSolutionsChecks())
    with suppress(RuntimeError):  # what it finds are errors of the synthesis; they are judged here, by the report
        app.synth()
    reports = [
        list(csv.DictReader(report.read_text().splitlines())) for report in sorted(outdir.glob("AwsSolutions-*.csv"))
    ]
    assert [len(report) > 50 for report in reports] == [True, True]
    judged = [row for report in reports for row in report]
    return {(row["Rule ID"], row["Resource ID"]) for row in judged if row["Compliance"] not in {"Compliant", "N/A"}}


def suppressions(finding):
    rule, resource = finding
    return [one for one in SUPPRESSED if one[0] == rule and fnmatch(resource, one[1])]


def test_aws_solutions_find_nothing_that_has_no_reason(findings):
    assert sorted(one for one in findings if not suppressions(one)) == []


def test_every_reason_is_of_something_that_is_found(findings):
    used = {suppressed for one in findings for suppressed in suppressions(one)}
    assert [one for one in SUPPRESSED if one not in used] == []
