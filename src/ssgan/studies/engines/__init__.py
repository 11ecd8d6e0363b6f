"""Where the commands of a study run: on this machine, or on others that share its files."""
