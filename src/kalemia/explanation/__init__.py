"""Explanations of the networks: Grad-CAM, occlusion, weight randomization, embeddings."""
