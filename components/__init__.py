"""The stages of the pipeline, one package each, and what they share (`common`)."""
