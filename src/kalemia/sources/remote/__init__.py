"""Recordings and tables on the web: requests, downloads of tables, and what was fetched."""
