"""Pictures: all that knows them, so that the rest speaks of examples, weights and files.

A picture's way leads through the modules: `preparation` turns any file into one encoded picture,
`features` and `examples` write and read it as an example, `inputs` and `augmentation` feed it to
the graphs of `models`, `export` and `calibration` bring these into a `.tflite` file, and `device`
feeds that as an app would. `metadata`, `model_card`, `statistics`, `thumbnails` and `words` tell
of it. Only `inputs`, `augmentation`, `export` and `models` load TensorFlow.
"""
