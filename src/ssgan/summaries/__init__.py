"""What run directories say of themselves: a list of them, and several side by side."""
