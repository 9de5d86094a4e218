"""The version of the items in DynamoDB that this release writes; it reads this one and the one before."""

SCHEMA_VERSION = 1
