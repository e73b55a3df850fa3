"""One patient: splits, fine-tuning, baselines and nulls."""
