"""What a run of the workflow knows of earlier runs in the same folder, and its jobs of the run."""
