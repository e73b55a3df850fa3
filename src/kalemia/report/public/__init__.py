"""A page that may be shared: no subjects, no dates, no results of single patients, and only rounded counts."""
