"""The JSON documents that flow between stages, each with the stage that writes it.

A document is one frozen JSON file at the root of an artifact (`base`). It holds nothing that
differs between two computations of the same thing, so its bytes can be digested; what does differ
stands in the `record` beside it. `dataset`, `bundle`, `candidate`, `evaluation`, `benchmark`,
`decision`, `release`, `validation` and `outcome` are named for what they describe.
"""
