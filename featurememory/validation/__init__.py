"""What may enter the memory: the validators, their manager, and what became of what they saw."""
