"""Lambda's events of HTTP requests: their kinds, their requests, and the responses in their formats. No I/O."""
