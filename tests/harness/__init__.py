"""Real servers and real faults for the tests: nothing in here imitates what it can start."""
