"""The networks: architecture, training, checkpoints, predictions, and the generic network."""
