"""What somebody makes of a new project: a route of his own, with a table of its own, in his own files alone."""

from pathlib import Path

NOTES = '''
"""Notes, each under a name of its own."""

import os

import boto3
from fastapi import APIRouter, HTTPException

from tidegate import TokenBucket, policy

router = APIRouter(prefix="/v1/notes")


def _table():
    return boto3.resource("dynamodb").Table(os.environ["NOTES_TABLE"])


@router.put("/{name}", status_code=204)
@policy(limits=[TokenBucket("5/s", burst=10)], idempotent=True)
async def put(name: str, text: str) -> None:
    _table().put_item(Item={"id": name, "text": text})


@router.get("/{name}")
@policy(limits=[TokenBucket("5/s", burst=10)])
async def get(name: str) -> dict[str, str]:
    found = _table().get_item(Key={"id": name}).get("Item")
    if found is None:
        raise HTTPException(404)
    return {"text": found["text"]}
'''
TEST = """
import pytest

pytestmark = pytest.mark.anyio


async def test_a_note_needs_a_text(http):
    assert (await http.put("/v1/notes/a", headers={"Idempotency-Key": '"a"'})).status_code == 422
"""
TABLE = """    notes = dynamodb.Table(
        stack,
        "Notes",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        removal_policy=stack.stage.keeping.removal,
    )
    CfnOutput(stack, "NotesTable", value=notes.table_name)
    stack.serve(
        "api.app.handler",
        tables=[ApplicationTable(notes, ["dynamodb:GetItem", "dynamodb:PutItem"], variable="NOTES_TABLE")],
"""
IMPORTS = "from aws_cdk import CfnOutput\nfrom aws_cdk import aws_dynamodb as dynamodb\nfrom tidegate_cdk import "


def replace_route(project: Path) -> None:
    """Put notes in place of hello."""
    for file in ("api/hello.py", "tests/test_hello.py"):
        (project / file).unlink()
    (project / "api/notes.py").write_text(NOTES)
    (project / "tests/test_notes.py").write_text(TEST)
    _edit(project / "api/app.py", ("from api import hello", "from api import notes"), ("hello.router", "notes.router"))
    _edit(
        project / "app.py",
        ("from tidegate_cdk import Paths", f"{IMPORTS}ApplicationTable, Paths"),
        ('    stack.serve(\n        "api.app.handler",\n', TABLE),
    )
    _edit(
        project / "pyproject.toml",
        ('smoke = [{ path = "/v1/hello" }]', 'smoke = [{ path = "/v1/notes/none", status = 404 }]'),
        ('app = "api.app:app"', 'app = "api.app:app"\ntables = { notes = "NotesTable" }'),
    )


def _edit(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text()
    for old, new in changes:
        assert text.count(old) == 1, (file, old)
        text = text.replace(old, new)
    file.write_text(text)
