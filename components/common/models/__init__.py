"""Bundles: the weights and predictions of a model, and the model that they make again.

A model crosses from one stage to another as arrays and the name of an architecture, never as
anything that runs: what builds the graph is the task's.
"""
