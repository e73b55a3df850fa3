"""The documentation site: the pages of docs/, a gallery of finished reports, and a check of all links."""
