"""LocalStack's Lambda without Docker: each execution environment is a process of the host.

`environment` and what it is made of (`runtime_api`, `function_process`, `log_pipe`) know nothing of LocalStack;
`executor`, `plugin` and `keepalive` are its plugin.
"""
