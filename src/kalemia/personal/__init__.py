"""One patient: splits, fine-tuning, baselines and negative controls."""
