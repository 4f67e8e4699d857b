"""Files under a root, alike in a local folder and in a bucket."""
