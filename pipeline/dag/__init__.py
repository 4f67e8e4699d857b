"""The KFP pipeline, and its YAML for one target."""
