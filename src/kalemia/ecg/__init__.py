"""Signal processing on arrays; knows nothing of files, draws or labels."""
