"""Decisions in DynamoDB: conditional writes, one item per subject."""
