"""Signal processing on arrays; independent of files, draws and labels."""
