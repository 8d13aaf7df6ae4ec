"""What the memory uses, how much it may use, and what makes room when that is too much."""
