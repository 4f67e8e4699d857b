"""Training: phases of epochs of steps, which can be killed at any of them and go on.

A training is one or more `phases`, each of several epochs over the same examples; a phase leaves
the weights of its best epoch (`best_epoch`). `input_pipeline` and what it rests on make batches
whose order is a function of seed and epoch, so that a training that goes on sees what it would
have seen. `loop` leads a phase, `trainer` compiles its steps for what `strategy` finds to run on,
`course` is how far it is, and `checkpoints` and `resumption` keep that. `distillation` is what a
teacher adds to the loss, and `frozen_part` what need not be computed at every step. `clock` and
`tensorboard` only tell. Two trainings with the same data, recipe and machine end with the same
weights, interrupted or not.
"""
