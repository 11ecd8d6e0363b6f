"""Pictures and plots from run directories."""
