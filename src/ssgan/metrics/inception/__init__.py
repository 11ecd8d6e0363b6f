"""The Inception network of 2015 and its features."""
