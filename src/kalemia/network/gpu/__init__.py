"""Kernels and graphs for a GPU; imported there alone."""
