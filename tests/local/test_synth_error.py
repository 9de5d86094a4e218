"""What the CDK app said, among what CDK says around it."""

import pytest

from tidegate_local.deployment.synth_error import synth_error

WARNED = "tidegate: no Python 3.99 on this machine: the assets ship without .pyc\n"
SAID = "stage local has timeout_s=30: write 1 to 29, as long as API Gateway waits for an answer"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (f"{WARNED}tidegate: {SAID}\nSubprocess exited with error 1\nadvice\n", SAID),
        (
            "tidegate: `uv export` failed:\nno network\n\nSubprocess exited with error 1\n",
            "`uv export` failed:\nno network",
        ),
        (f"{WARNED}Tidegate-local: deploying...\nit failed\n", None),
        ("Traceback (most recent call last):\nKeyError: 1\nSubprocess exited with error 1\n", None),
        ("", None),
    ],
)
def test_the_app_s_own_sentence_is_the_reason(tmp_path, log, said):
    file = tmp_path / "cdk-deploy.log"
    file.write_text(log)
    assert synth_error(file) == said


def test_a_log_that_is_not_there_says_nothing(tmp_path):
    assert synth_error(tmp_path / "none") is None
