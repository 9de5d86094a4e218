"""What API Gateway does before a function, in front of `tidegate dev`: keys, throttles, and its answers."""
