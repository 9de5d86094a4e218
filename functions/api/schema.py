"""The versions of the schema in DynamoDB that this code supports; a schema's number is its migration's."""

# The schema that this code writes, and the least that has to be in force for it.
SCHEMA_VERSION = 1
# The oldest schema that this code still writes as well, or depends on. Once it is N, the contract migrations up to N
# may run, after their bake time; raise it in a release of its own.
OLDEST_SCHEMA = 0
