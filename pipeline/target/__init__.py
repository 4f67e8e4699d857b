"""Where a run is computed: one file per environment."""
