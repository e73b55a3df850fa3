"""The network, its training and its weights."""
