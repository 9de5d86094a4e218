"""The shop's decisions, without I/O: values in, values out; a refusal is a value, too."""
