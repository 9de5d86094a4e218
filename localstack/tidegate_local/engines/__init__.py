"""The engines: what stands in for AWS on this machine, and what each of them can't do."""
