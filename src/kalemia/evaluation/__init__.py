"""From prediction files to metrics, intervals and the verdict."""
