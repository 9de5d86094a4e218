"""The checks at an application's start, so that a protection that can't hold shows before the first request."""
