"""A run as its folder tells of it: tasks' results, receipts and the outcome."""
