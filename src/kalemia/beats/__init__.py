"""From recordings to beats, and the review of excerpts."""
