"""What a stage refuses; it stands apart, so that whoever reads the stages can tell it, whatever reads fail."""


class StageError(Exception):
    """The context asks for a stage that doesn't exist, or gives it a setting that it doesn't take."""
