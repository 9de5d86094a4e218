"""What runs before there is an environment: the standard library of Python 3.11 is all that it may use."""
