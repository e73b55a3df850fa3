"""Who is studied: draws, recordings, exclusions and populations."""
