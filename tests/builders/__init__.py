"""What tests are given: data sets, models and whole runs, made by functions, small and valid."""
