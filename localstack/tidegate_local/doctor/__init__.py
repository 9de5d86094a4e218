"""`tidegate doctor`: looks at what a local cloud and a deploy need, and says what to do about what is missing."""
