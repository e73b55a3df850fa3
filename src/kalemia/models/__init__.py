"""Trained networks outside of their study: model folders, and what they say about any ECG."""
