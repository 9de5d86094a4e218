"""The topic that alarms and the budget tell, and who hears of it."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from tidegate_cdk.api.operations import Operations

# They publish as themselves, in the account's name.
_PUBLISHERS = ("cloudwatch.amazonaws.com", "budgets.amazonaws.com")


def alarm_topic(scope: Construct, operations: Operations) -> sns.ITopic:
    """Return the topic that is there already, or make one, which `email` is subscribed to."""
    if operations.topic_arn:
        return sns.Topic.from_topic_arn(scope, "Topic", operations.topic_arn)
    topic = sns.Topic(scope, "Topic", enforce_ssl=True)
    for publisher in _PUBLISHERS:
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(publisher)],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
    if operations.email:
        sns.CfnSubscription(scope, "Subscriber", topic_arn=topic.topic_arn, protocol="email", endpoint=operations.email)
    return topic
