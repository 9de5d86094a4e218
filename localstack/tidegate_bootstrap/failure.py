"""The one error of the bootstrap."""


class BootstrapError(Exception):
    """The environment can't be made; the message says what to install or to set."""
