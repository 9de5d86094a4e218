"""What the account may cost in a month, and when that is told."""

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_sns as sns
from constructs import Construct

# Percent of the budget, of what was spent and of what the month is going to cost.
_TOLD_AT = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))


def budget(scope: Construct, usd: int, topic: sns.ITopic | None) -> budgets.CfnBudget:
    """Watch all of the account's costs: those of one stack are known by their tags alone, once these are activated."""
    subscribers = (
        [budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=topic.topic_arn)] if topic else []
    )
    return budgets.CfnBudget(
        scope,
        "Budget",
        budget=budgets.CfnBudget.BudgetDataProperty(
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=budgets.CfnBudget.SpendProperty(amount=usd, unit="USD"),
        ),
        notifications_with_subscribers=[
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    comparison_operator="GREATER_THAN", notification_type=kind, threshold=percent
                ),
                subscribers=subscribers,
            )
            for kind, percent in _TOLD_AT
            if subscribers
        ]
        or None,
    )
