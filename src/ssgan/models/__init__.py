"""The networks: frozen specs that build generators and discriminators."""
