"""What the shop decides without I/O: values in, values out; a refusal is a value, too."""
