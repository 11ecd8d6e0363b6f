"""What a run or a folder of images is worth: qualities, and what D knows."""
