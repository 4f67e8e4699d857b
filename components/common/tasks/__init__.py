"""What is known of the kind of data that a model takes, a package for each."""
