"""Tables in CSV: strict records, the spellings of times and numbers, and the two tables of a user's own recordings."""
