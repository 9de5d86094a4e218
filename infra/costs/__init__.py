"""What the stage `aws` costs: list prices, what stands idle, and what a million requests add."""
