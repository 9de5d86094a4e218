"""The mechanisms: each contributes its part to the one question, and reads its part of the answer."""
