"""What ships runs alone: on the standard library, without this checkout or its virtual environment."""

import pytest

from tidegate_build.dependencies import RECIPE, Recipe

SERVICES = Recipe.read(RECIPE).slimming.services

# The application's start-up, which the handlers run, looks for its tables' names.
TABLES = {"TIDEGATE_PRODUCTS_TABLE": "products", "TIDEGATE_ORDERS_TABLE": "orders"}

RECORD = """
from importlib.machinery import SourceFileLoader
compiled = []
to_code = SourceFileLoader.source_to_code
def source_to_code(self, data, path, **options):
    compiled.append(path)
    return to_code(self, data, path, **options)
SourceFileLoader.source_to_code = source_to_code
"""

WHERE = """
import sysconfig
stdlib = sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")
files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
shipped = [file for file in files if file and file.startswith(tuple(sys.path[:2]))]
others = [file for file in files if file and not file.startswith((*sys.path[:2], *stdlib))]
"""


def test_the_handler_imports_from_what_ships_and_compiles_nothing(alone, unpacked):
    # The engine's own Python made the bytecode: if a module compiles, its .pyc is missing or not believed.
    found = alone(
        f"{RECORD}import functions.api.handler\n{WHERE}"
        "print(json.dumps([len(shipped), others, compiled, callable(functions.api.handler.handler)]))"
    )
    shipped, others, compiled, handles = found
    assert handles
    assert shipped > 100
    assert others == []
    assert compiled == []
    assert unpacked["local"].task.exists()


def test_the_handler_answers(alone):
    event = {
        "resource": "/health/{proxy+}",
        "path": "/health/live",
        "httpMethod": "GET",
        "headers": {"Host": "x"},
        "multiValueHeaders": {"Host": ["x"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": "live"},
        "requestContext": {
            "path": "/api/health/live",
            "stage": "api",
            "identity": {"sourceIp": "127.0.0.1"},
            "requestId": "r",
        },
        "body": None,
        "isBase64Encoded": False,
    }
    answer = alone(
        f"""
import functions.api.handler
class Context:
    aws_request_id = "r"
    function_name = "api"
    function_version = "1"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:api:1"
    def get_remaining_time_in_millis(self):
        return 10_000
print(json.dumps(functions.api.handler.handler({event!r}, Context())))
""",
        TIDEGATE_STORE="memory",
        **TABLES,
    )
    assert answer["statusCode"] == 200, answer


def test_the_worker_answers(alone):
    answer = alone(
        """
import functions.worker.handler
class Context:
    def get_remaining_time_in_millis(self):
        return 10_000
record = {"messageId": "m", "receiptHandle": "r", "body": "no message", "attributes": {"MessageGroupId": "g"}}
event = {"Records": [record | {"eventSource": "aws:sqs"}]}
print(json.dumps(functions.worker.handler.handler(event, Context())))
""",
        **TABLES,
        TIDEGATE_TABLE="library",
        TIDEGATE_QUEUE_URL="http://127.0.0.1:1/0/requests.fifo",
        AWS_ENDPOINT_URL="http://127.0.0.1:1",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    assert answer == {"batchItemFailures": []}, "what is no message of the library's is logged, and doesn't come again"


def test_the_library_imports_alone(alone):
    assert alone("import tidegate; print(json.dumps(tidegate.__file__))").endswith("/opt/python/tidegate/__init__.py")


@pytest.mark.parametrize("service", sorted(SERVICES["botocore/data"]))
def test_clients_of_the_kept_services_are_made(alone, service):
    name = f"json.dumps(boto3.client({service!r}).meta.service_model.service_name)"
    assert alone(f"import boto3; print({name})") == service


@pytest.mark.parametrize("service", sorted(SERVICES["boto3/data"]))
def test_resources_of_the_kept_services_are_made(alone, service):
    assert alone(f"import boto3; print(json.dumps(boto3.resource({service!r}).meta.service_name))") == service


@pytest.mark.parametrize(
    "module",
    [
        "anyio.to_thread",
        "aws_lambda_powertools.logging",
        "aws_lambda_powertools.metrics",
        "aws_lambda_powertools.utilities.batch",
        "aws_lambda_powertools.utilities.data_classes",
        "aws_lambda_powertools.utilities.idempotency",
        "aws_lambda_powertools.utilities.typing",
        "botocore.signers",
        "fastapi",
        "hiredis",
        "http_sf",
        "mangum",
        "pynamodb.models",
    ],
)
def test_what_is_pruned_is_not_needed_by(alone, module):
    assert alone(f"import importlib; importlib.import_module({module!r}); print(json.dumps(True))") is True


def test_anyio_finds_its_lazily_imported_parts(alone):
    # It reads them from its own source: the reason why not every package ships as bytecode alone.
    assert alone("import anyio; anyio.to_thread.run_sync; print(json.dumps(True))") is True


def test_the_migrations_are_read_and_the_journal_is_asked_for(alone):
    answer = alone(
        """
import botocore.exceptions
import functions.migrate.handler
class Context:
    def get_remaining_time_in_millis(self):
        return 10_000
try:
    functions.migrate.handler.handler({"action": "status"}, Context())
except botocore.exceptions.EndpointConnectionError as error:
    print(json.dumps(str(error)))
""",
        TIDEGATE_TABLE="library",
        TIDEGATE_ORDERS_TABLE="orders",
        TIDEGATE_PRODUCTS_TABLE="products",
        AWS_ENDPOINT_URL="http://127.0.0.1:1",
        AWS_REGION="us-east-1",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
    )
    assert "http://127.0.0.1:1" in answer
