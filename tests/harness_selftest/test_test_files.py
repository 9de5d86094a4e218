"""What tests keep to, so that they are read in one go: names of at most 70 characters, files of at most 400 lines."""

import ast
from pathlib import Path

SOURCES = {path: path.read_text("utf-8") for path in sorted(Path(__file__).parents[1].rglob("*.py"))}


def test_names_have_at_most_70_characters():
    nodes = [node for source in SOURCES.values() for node in ast.walk(ast.parse(source))]
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    tests = [name for name in names if name.startswith("test_")]
    assert len(tests) > 1000, "the tests are looked for elsewhere"
    assert [name for name in tests if len(name) > 70] == []


def test_files_have_at_most_400_lines():
    assert [str(path) for path, source in SOURCES.items() if source.count("\n") > 400] == []
