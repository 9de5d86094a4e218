"""Builds what ships: archives named by their sources, with locked packages and bytecode. It needs no CDK."""
