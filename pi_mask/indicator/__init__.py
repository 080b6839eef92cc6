"""Show a Verdict to the person at the door."""
