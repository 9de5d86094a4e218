"""The handler that Lambda calls, and Lambda's signals and snapshots."""
