"""The limits' algorithms as pure functions: the truth that every store's form is tested against."""
