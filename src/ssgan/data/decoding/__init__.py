"""How the samples of a picture file become colours."""
