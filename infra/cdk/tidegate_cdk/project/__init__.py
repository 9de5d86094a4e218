"""A project's stack and its stages: the local cloud's, and those on AWS."""

from tidegate_cdk.project.project_stack import ProjectStack
from tidegate_cdk.project.stages import AWS, LOCAL, Stage
from tidegate_cdk.project.synthesis import synthesize

__all__ = ["AWS", "LOCAL", "ProjectStack", "Stage", "synthesize"]
