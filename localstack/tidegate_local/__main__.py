"""`python -m tidegate_local` is the `tidegate` command.

What it needs takes half a second to import: an interrupt that comes meanwhile ends it as quietly as any other.
"""

import sys


def main() -> None:
    """Run the command that the words say."""
    try:
        from tidegate_local.cli.commands import app  # noqa: PLC0415 - see above
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
    app()


if __name__ == "__main__":
    main()
