"""What is refused before anything is deployed: a setting that is wrong, said with what to write instead."""


class SettingError(ValueError):
    """A setting has a value that it doesn't take, or two settings exclude each other."""
