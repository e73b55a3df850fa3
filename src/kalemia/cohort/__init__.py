"""Select draws, recordings and patients: laboratory values, matching, exclusions, populations, clinical context."""
