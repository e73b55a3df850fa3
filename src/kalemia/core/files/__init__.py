"""How files are written and checked: whole or not at all, flushed to the disk, and sealed with a checksum."""
