# ruff: noqa: INP001 - LocalStack executes this file, nobody imports it
"""Keeps CloudFormation from replacing, and so losing, the aliases of a function that changes. LocalStack 4.14.0.

AWS::Lambda::Alias declares its FunctionName as create-only, and a Ref to a resource that is modified counts as a
changed value. So every change of a function replaces its aliases: the new one can't be made, because the old one
bears the name, and the old one is deleted, while the stack says UPDATE_COMPLETE. A function keeps its name while
it is modified; if it is replaced, the alias's name alone decides.
"""

import logging

from localstack.services.lambda_.resource_providers.lambda_alias import LambdaAliasProvider

LOG = logging.getLogger("tidegate.init.alias_replacement")
EXPECTED = ["/properties/Name", "/properties/FunctionName"]

if LambdaAliasProvider.SCHEMA.get("createOnlyProperties") == EXPECTED:
    LambdaAliasProvider.SCHEMA["createOnlyProperties"] = ["/properties/Name"]
    LOG.info("Aliases survive a change of their function now.")
else:
    LOG.error(
        "THIS IS NOT THE LOCALSTACK THAT alias_replacement.py WAS WRITTEN FOR (4.14.0): AWS::Lambda::Alias was left "
        "as it is. If aliases survive a change of their function there, remove the script; else adapt it."
    )
