"""What every stage uses: the configuration, tables, paths, seeds and logs."""
