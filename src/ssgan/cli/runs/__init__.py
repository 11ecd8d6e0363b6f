"""Run directories as text: a list of them, a comparison, and a log as a table."""
