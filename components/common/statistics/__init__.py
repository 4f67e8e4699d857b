"""What figures prove: metrics with intervals, exact tests, and non-inferiority."""
