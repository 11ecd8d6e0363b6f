"""What is minimised: two losses a method."""
