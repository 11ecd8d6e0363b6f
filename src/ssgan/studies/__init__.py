"""The paper's tables and figures as commands and drawings; experiments that are no run of a GAN."""
