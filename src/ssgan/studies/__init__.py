"""The paper's tables and figures: commands to run, and what is drawn of their results."""
