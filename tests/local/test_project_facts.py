"""A project's own facts are read from its pyproject.toml, and each mistake is named with what to write instead."""

import pytest

from tidegate_local.errors import FactsError, ScenarioError
from tidegate_local.project_facts import ProjectFacts, Seed, SmokeRequest
from tidegate_local.scenarios import demo

LIBRARY = """
[tool.tidegate]
readiness = "/ready"
smoke = [{ path = "/books?page=2" }, { path = "/books/none", status = 404 }]
tables = { books = "BooksTable", loans = "LoansTable" }
outputs = ["QueueUrl", "BooksTable"]
seed = [{ items = "data/books.json", table = "books" }]
try = ["curl -H 'x-api-key: $key' $url/books", "echo $$HOME"]
demo = "library.demo:DEMO"
"""


@pytest.fixture
def read(tmp_path):
    """Reads facts out of a project's folder, in which there is a seed."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "books.json").write_text("[]")

    def written(text):
        (tmp_path / "pyproject.toml").write_text(text)
        return ProjectFacts.read(tmp_path)

    return written


def test_a_project_says_its_own(read, tmp_path):
    assert read(LIBRARY) == ProjectFacts(
        readiness="/ready",
        smoke=(SmokeRequest("/ready", 200), SmokeRequest("/books?page=2", 200), SmokeRequest("/books/none", 404)),
        tables={"books": "BooksTable", "loans": "LoansTable"},
        outputs=("BooksTable", "LoansTable", "QueueUrl"),
        seed=(Seed(tmp_path / "data" / "books.json", "books"),),
        tries=("curl -H 'x-api-key: $key' $url/books", "echo $$HOME"),
        demo="library.demo:DEMO",
    )


def test_readiness_is_all_that_a_project_has_to_say(read):
    facts = read('[tool.tidegate]\nreadiness = "/ready"\n')
    assert facts == ProjectFacts("/ready", (SmokeRequest("/ready", 200),))


@pytest.mark.parametrize("text", ["", "[tool]\n", "tool = 1\n", "[tool]\ntidegate = 1\n"])
def test_a_project_without_facts_is_told_what_to_write(read, text):
    with pytest.raises(FactsError, match=r'has no \[tool.tidegate\]: write it, with readiness = "/health/ready"'):
        read(text)


@pytest.mark.parametrize("text", [None, "[tool.tidegate\n"])
def test_a_file_that_can_not_be_read_is_named(tmp_path, text):
    if text:
        (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(FactsError, match=r"pyproject\.toml can't be read"):
        ProjectFacts.read(tmp_path)


PATH = "write a path that begins with a slash"
OUTPUTS = "write names of the stack's outputs"
LINES = r"write lines, in which \$url and \$key are replaced"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('readyness = "/r"', r"\[tool.tidegate\] has no key readyness: did you mean readiness\?"),
        ("colour = 1", "has no key colour: it has readiness, smoke, tables, outputs, seed, try, demo"),
        ("smoke = 1", "smoke is 1: write a list of tables"),
        ('smoke = ["/books"]', "smoke is .*: write a list of tables"),
        ("smoke = [{}]", rf"smoke\[0\] says no path: {PATH}"),
        ('smoke = [{ path = "/a" }, { path = "books" }]', rf"smoke\[1\] path is 'books': {PATH}"),
        ('smoke = [{ path = "/a b" }]', rf"smoke\[0\] path is '/a b': {PATH}"),
        ('smoke = [{ path = "/a", status = 99 }]', r"smoke\[0\] status is 99: write an HTTP status, 100 to 599"),
        ('smoke = [{ path = "/a", status = true }]', "status is True: write an HTTP status"),
        ('smoke = [{ path = "/a", code = 404 }]', r"smoke\[0\] has no key code"),
        ('smoke = [{ path = "/a", statsu = 404 }]', r"smoke\[0\] has no key statsu: did you mean status\?"),
        ('tables = ["BooksTable"]', "tables is .*: write outputs of the stack by names"),
        ('tables = { Books = "BooksTable" }', "tables.Books is 'BooksTable': write it under a name of lower-case"),
        ('tables = { books = "Books Table" }', "tables.books is 'Books Table': write the name of an output"),
        ("tables = { books = 1 }", "tables.books is 1: write the name of an output"),
        ('outputs = "QueueUrl"', f"outputs is 'QueueUrl': {OUTPUTS}"),
        ("outputs = [1]", rf"outputs is \[1\]: {OUTPUTS}"),
        ('seed = [{ table = "books" }]', r"seed\[0\] says no items: write the path of a file, relative"),
        ('seed = [{ items = "../books.json", table = "books" }]', "items is '../books.json': write the path of a file"),
        ('seed = [{ items = "none.json", table = "books" }]', "items is 'none.json': write the path of a file that is"),
        ('seed = [{ items = "data/books.json" }]', r"seed\[0\] says no table: write it in \[tool.tidegate.tables\]"),
        (
            'tables = { books = "B" }\nseed = [{ items = "data/books.json", table = "loans" }]',
            "table is 'loans': write one of books",
        ),
        ('try = "curl $url"', f"try is .*: {LINES}"),
        ('try = [""]', f"try is '': {LINES}"),
        ('try = ["curl $"]', f"try is .*: {LINES}"),
        ('try = ["curl $url/$tier"]', r"nothing stands for \$tier"),
        ('demo = "library.demo"', "demo is 'library.demo': write a module and a name in it"),
        ("demo = 1", "demo is 1: write a module and a name in it"),
    ],
)
def test_each_mistake_is_named_with_what_to_write(read, written, said):
    with pytest.raises(FactsError, match=rf"^pyproject\.toml: .*{said}"):
        read(f'[tool.tidegate]\nreadiness = "/ready"\n{written}\n')


@pytest.mark.parametrize("written", ["", 'readiness = "ready"', "readiness = 1"])
def test_a_project_has_to_say_when_it_is_ready(read, written):
    with pytest.raises(FactsError, match=rf"readiness.*{PATH}"):
        read(f"[tool.tidegate]\n{written}\n")


def test_the_sample_s_facts_are_well_and_its_demo_is_one():
    facts = ProjectFacts.read()
    assert isinstance(demo.of_project(facts), demo.Demo)
    assert {seed.table for seed in facts.seed} <= set(facts.tables)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (None, r"has no demo\. Name one in pyproject\.toml"),
        ("no_such_module:DEMO", "can't be loaded: No module named 'no_such_module'"),
        ("examples.shop.demo:OTHER", "can't be loaded: .* has no attribute 'OTHER'"),
        ("json:dumps", "has no warming, source, check, clients, reading, failing, slow_reads"),
    ],
)
def test_what_is_no_demo_is_told_apart(named, said):
    with pytest.raises(ScenarioError, match=said):
        demo.of_project(ProjectFacts("/ready", demo=named))
