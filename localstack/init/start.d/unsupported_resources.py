# ruff: noqa: INP001 - LocalStack executes this file, nobody imports it
"""Makes a resource that LocalStack can't make an error, without asking anybody on the network. LocalStack 4.14.0.

With CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES=0 a template's types are looked up in a catalogue that is downloaded;
offline it is empty, and every type counts as unsupported. What is supported is known here: the types that have a
provider.
"""

import logging

from localstack.services.cloudformation.engine.v2 import change_set_resource_support_checker as checker
from localstack.utils.catalog.catalog import AwsCatalogRuntimePlugin
from localstack.utils.catalog.common import CloudFormationResourcesSupportAtRuntime

LOG = logging.getLogger("tidegate.init.unsupported_resources")


class Providers(AwsCatalogRuntimePlugin):
    """Knows the types of this very LocalStack."""

    def get_cloudformation_resource_status(
        self, resource_name: str, *_: object
    ) -> CloudFormationResourcesSupportAtRuntime:
        """Tell whether a type has a provider."""
        if resource_name in self._get_cfn_resources_available_at_runtime():
            return CloudFormationResourcesSupportAtRuntime.AVAILABLE
        return CloudFormationResourcesSupportAtRuntime.NOT_IMPLEMENTED


if hasattr(checker, "get_aws_catalog"):
    checker.get_aws_catalog = Providers
    LOG.info("Types of resources that have no provider are errors now.")
else:
    LOG.error(
        "THIS IS NOT THE LOCALSTACK THAT unsupported_resources.py WAS WRITTEN FOR (4.14.0): what it can't make may "
        "be taken for made. Adapt the script, or remove it."
    )
