"""The seam between stages and tasks: what is asked of each kind of data that a model takes.

Each module here is one facet of a task: a protocol, and functions that put the question to the task
that a document names. Stages ask these, and name no task. A task is a package, `image` or `text`,
with a module for each facet, which looks like the protocol; what else there is in it, nobody
outside knows.

| facet      | asked by                                                      | TensorFlow |
|------------|---------------------------------------------------------------|------------|
| `reading`  | what feeds a `.tflite` file with examples, or looks for their ids | no         |
| `inputs`   | what trains, or asks a Keras model                            | yes        |
| `graphs`   | what makes a model of its bundle                              | yes        |

They are modules apart because a stage's key covers all that it can reach: what is told of pictures
trains nothing anew, and what does not train loads no TensorFlow.
"""
