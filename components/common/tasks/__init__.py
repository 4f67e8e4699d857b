"""The seam between stages and tasks: what is asked of each kind of data that a model takes.

Most modules here are each one facet of a task: a protocol, and functions that put the question to
the task that a document names. Stages ask these, and name no task. A task is a package, `image` or
`text`, with a module for each facet that looks like the protocol; what else there is in it, nobody
outside knows. docs/architecture.md lists the facets, and who asks each.

They are modules apart because a stage's key covers all that it can reach: what is told of pictures
trains nothing anew, and what does not train loads no TensorFlow. `told` holds the values that a
task tells people by.
"""
