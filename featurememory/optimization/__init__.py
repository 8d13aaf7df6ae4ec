"""Learning which parameters work best for which pattern, per model and operation type."""
