"""What outlives its stack."""

from aws_cdk import RemovalPolicy

from infra.stages import Stage


def kept(stage: Stage) -> RemovalPolicy:
    """Say what becomes of data and logs with their stack: a create that fails leaves none of it behind."""
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if stage.keep_data else RemovalPolicy.DESTROY
