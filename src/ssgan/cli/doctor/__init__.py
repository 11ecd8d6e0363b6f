"""`ssgan doctor`: what this machine has for ssgan, and a self test."""
