"""Cutting channels: which can go, which should, and what stands in for them.

`groups` finds the convolutions whose filters a single other layer reads, `selection` says which of
these filters stay, `surgery` makes the narrower model, and `refitting` lets the layer that reads
them make up for those that are gone.
"""
