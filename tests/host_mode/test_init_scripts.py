"""Each script mends the LocalStack that it was written for, and leaves any other alone, loudly."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.localstack

SCRIPTS = Path(__file__).parents[2] / "localstack" / "init" / "start.d"
ALIAS = "from localstack.services.lambda_.resource_providers.lambda_alias import LambdaAliasProvider as It"
PROVIDER = "from localstack.services.lambda_.provider import LambdaProvider as It"
GATEWAY = """
from localstack.services.apigateway.next_gen.execute_api.handlers.gateway_exception import GatewayExceptionHandler as It
"""
ANOTHER = """
def create(self, request): "weights are mended"
def update(self, request): "so are updates"
def get_function_configuration(self): "qualifier_is_alias"
update_alias = update
"""
CASES = {
    "update_alias": (PROVIDER, "It.update_alias = another.update_alias", "It.update_alias is another.update_alias"),
    "alias_weights_in_templates": (
        ALIAS,
        "It.create, It.update = another.create, another.update",
        "It.create is another.create and It.update is another.update",
    ),
    "alias_replacement": (
        ALIAS,
        "It.SCHEMA['createOnlyProperties'] = ['/properties/FunctionName']",
        "It.SCHEMA['createOnlyProperties'] == ['/properties/FunctionName']",
    ),
    "alias_configuration": (
        PROVIDER,
        "It.get_function_configuration = another.get_function_configuration",
        "It.get_function_configuration is another.get_function_configuration",
    ),
    "gateway_responses": (
        GATEWAY,
        "del It._build_response_content; plain = It.create_exception_response",
        "It.create_exception_response is plain",
    ),
    "log_groups": (
        "from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment as It",
        "del It.get_log_group_name",
        "not hasattr(It, 'get_log_group_name')",
    ),
    "invocation_threads": (
        "from localstack.services.lambda_.invocation import version_manager as It",
        "It.start_thread = another.create",
        "It.start_thread is another.create",
    ),
    "unsupported_resources": (
        "from localstack.services.cloudformation.engine.v2 import change_set_resource_support_checker as It",
        "del It.get_aws_catalog",
        "not hasattr(It, 'get_aws_catalog')",
    ),
}


@pytest.mark.parametrize("script", CASES)
def test_a_script_meets_the_code_that_it_expects(script, localstack_python, tmp_path):
    assert "NOT THE LOCALSTACK" not in run(localstack_python, script, tmp_path, before="", check="True")


@pytest.mark.parametrize("script", CASES)
def test_a_script_leaves_other_code_alone_and_says_so(script, localstack_python, tmp_path):
    take, change, unchanged = CASES[script]
    log = run(localstack_python, script, tmp_path, before=f"{take}\n{change}", check=unchanged)
    assert f"ERROR:THIS IS NOT THE LOCALSTACK THAT {script}.py WAS WRITTEN FOR" in log


def run(python, script, folder, before, check):
    (folder / "another.py").write_text(ANOTHER)
    program = f"""
import logging, another
logging.basicConfig(format="%(levelname)s:%(message)s", level="INFO")
{before}
exec(open({str(SCRIPTS / f"{script}.py")!r}).read(), {{}})
assert {check}
"""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(folder)}
    ran = subprocess.run([python, "-c", program], env=environ, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr
