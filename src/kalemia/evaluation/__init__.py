"""From prediction files to metrics, intervals and the claims of a study."""
