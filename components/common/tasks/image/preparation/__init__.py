"""Pictures of any sort, in files of any make, become pictures of one sort, in one encoding."""
