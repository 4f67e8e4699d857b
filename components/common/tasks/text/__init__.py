"""Texts: all that knows them, so that the rest speaks of examples, weights and files.

A text's way leads through the modules: `planning` chooses a `vocabulary` and a length, `tokenizer`
makes tokens as a device does, `making` and `features` write them as an example, and `reading` reads
it back; `inputs` feeds it to the graphs of `models`, whose weights `checkpoints` and `weights`
find, and `export` and `calibration` bring these into a `.tflite` file. `metadata`, `model_card`,
`findings` and `showing` tell of it. Only `inputs`, `graphs`, `export` and `models` load TensorFlow.
"""
