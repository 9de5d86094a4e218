"""The command line: each command, and how one ends that can't go on."""
