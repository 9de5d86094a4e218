"""Where state lives: one protocol, three technologies, and what composes them."""
