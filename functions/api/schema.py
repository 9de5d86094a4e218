"""Which forms of the items in DynamoDB this code knows; a schema's number is its migration's."""

# The form that this code writes, and the least that has to be in force for it.
SCHEMA_VERSION = 1
# The oldest form that this code, still, writes as well or can't do without. Once it is N, the migrations up to N may
# take away what was before them, after their bake time; raise it in a release of its own.
OLDEST_SCHEMA = 0
