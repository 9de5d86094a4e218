"""The methods that API Gateway's settings take, each with a bucket of its own; ANY stands for all of them."""

VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
METHODS = (*VERBS, "ANY")
