"""Bundles: the weights and predictions of a model, and the model that they make again."""
