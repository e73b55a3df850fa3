"""Statistics of arrays, that know nothing of a study."""
