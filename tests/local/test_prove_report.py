"""A proof's report: what was not run is named so, and a signature shows whoever changes a word of it."""

import json

import pytest
from typer.testing import CliRunner

from tidegate_local.cli.commands import app
from tidegate_local.errors import ProofError
from tidegate_local.prove import signature
from tidegate_local.prove.outcome import Outcome
from tidegate_local.prove.plan import Caps
from tidegate_local.prove.releasing import Released
from tidegate_local.prove.report import Report, markdown, write
from tidegate_local.prove.steps.figures import cold_starts
from tidegate_local.scenarios.answers import Answer

OUTCOMES = (
    Outcome("deploy", "passed", "stack Tidegate-aws-prove1", 61.4, 0.06),
    Outcome("e2e", "failed", "test_edge | failed\nand its log", 12.0, 0.05),
    Outcome("network-cut", "not run", "no FIS"),
    Outcome("figures", "passed", "cold start p50 810 ms", 9.0, 0.02, {"cold_start_p50_ms": 810.0}),
)


def report(**changed):
    about = {"place": "AWS", "region": "eu-west-1"}
    told = {
        "rehearsal": False,
        "about": about,
        "commit": "abc",
        "began": "2026-11-29T10:00:00+00:00",
        "ended": "2026-11-29T12:00:00+00:00",
        "caps": Caps(),
        "outcomes": OUTCOMES,
    }
    return Report(**told | changed)


def test_what_was_not_run_is_never_counted_as_passed():
    assert report().verdict == "2 passed, 1 failed, 1 not run"
    assert report(rehearsal=True).verdict == "rehearsal, no proof of AWS: 2 passed, 1 failed, 1 not run"
    assert report().failed
    assert not report(outcomes=OUTCOMES[2:]).failed


def test_the_page_has_a_row_for_each_step_and_its_figures(tmp_path):
    told = markdown(report())
    assert "| network-cut | not run | 0 | 0.00 | no FIS |" in told
    assert "| e2e | failed | 12 | 0.05 | test_edge \\| failed |" in told
    assert "| cold_start_p50_ms | 810 |" in told
    assert told.startswith("# Proof on AWS\n")
    assert markdown(report(rehearsal=True)).startswith("# Rehearsal of the proof on AWS\n")


def test_the_document_has_all_of_it(tmp_path):
    document, page = write(report(), tmp_path, "prove-1")
    told = json.loads(document.read_text())
    assert (told["form"], told["verdict"], told["usd"]) == (1, "2 passed, 1 failed, 1 not run", 0.13)
    assert [outcome["state"] for outcome in told["outcomes"]] == ["passed", "failed", "not run", "passed"]
    assert told["outcomes"][1]["seen"].endswith("its log")
    assert page.read_text() == markdown(report())


def test_a_signature_holds_until_a_word_is_changed(tmp_path):
    document, _page = write(report(), tmp_path, "prove-1")
    signed, public = signature.sign(document, None)
    assert "SSH SIGNATURE" in signed.read_text()
    assert public.read_text().startswith("ssh-ed25519 ")
    assert signature.verify(document)
    document.write_text(document.read_text().replace('"failed"', '"passed"'))
    assert not signature.verify(document)


def test_a_key_that_is_not_there_is_refused_before_anything_is_deployed(tmp_path):
    with pytest.raises(ProofError, match="--key is"):
        signature.check_key(tmp_path / "none")


def test_without_ssh_keygen_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ProofError, match="install OpenSSH"):
        signature.check_key(None)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--only-destroy"], "--only-destroy wants"),
        (["--only-destroy", "--dry-run", "--env", "prove1"], "--only-destroy wants"),
        (["--most-usd", "0"], "more than 0"),
        (["--env", "production"], "prove and 1 to 7"),
        (["--key", "/nowhere/key"], "--key is"),
    ],
)
def test_what_can_not_be_meant_is_refused(words, why):
    done = CliRunner().invoke(app, ["prove-aws", *words])
    assert done.exit_code
    assert why in " ".join(done.output.split()).replace("│ ", "")


def test_an_engine_s_endpoint_is_no_aws(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    done = CliRunner().invoke(app, ["prove-aws", "--env", "prove1"])
    assert done.exit_code == 1
    assert "AWS_ENDPOINT_URL is set" in done.output


@pytest.mark.parametrize(("timed", "failed"), [(True, ["failed", "nobody"]), (False, ["failed"])])
def test_who_got_no_answer_in_time_is_failed_where_times_prove_something(timed, failed):
    by = ("handler", "failed", "shedding", "nobody", "limits")
    answers = tuple(Answer(0.0, 1.0, "orders", "pro", None, who) for who in by)
    assert [answer.by for answer in Released(None, "1", "2", answers, timed).failed] == failed


def test_cold_starts_are_read_from_lambda_s_own_lines():
    lines = [
        "REPORT RequestId: 1 Duration: 12.3 ms Billed Duration: 13 ms Memory Size: 512 MB Init Duration: 812.50 ms",
        "REPORT RequestId: 2 Duration: 2.1 ms Billed Duration: 3 ms Memory Size: 512 MB",
    ]
    assert cold_starts(lines) == [812.5]
