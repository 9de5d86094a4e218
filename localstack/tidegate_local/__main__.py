"""`python -m tidegate_local` is the `tidegate` command."""

from tidegate_local.cli import app

app()
