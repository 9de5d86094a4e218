"""`tidegate watch`: saved code runs on the engine at the next request, without a deploy."""
