"""A run as its folder tells of it: tasks' results, receipts and the outcome.

KFP knows whether tasks succeeded; what they came to stands in the run's folder, wherever it lies.
`receipts` gathers what tasks left there, `results` the figures of the candidates, `outcomes` how
the run ended. The stages after the gate read it this way, and so do commands.
"""
