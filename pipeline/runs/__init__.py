"""What runs leave on this machine and in the store: folders, entries, releases."""
