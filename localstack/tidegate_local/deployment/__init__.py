"""Deploys of the repository's app: CDK's own, and those around a release that CloudFormation can't wait for."""
