"""One run on several processes: how they meet, agree, sum gradients and share its state."""
