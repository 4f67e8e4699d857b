"""`.tflite` files: what they say of themselves, and what LiteRT answers.

`tflite` and `metadata_tables` read a file's flatbuffer without running it, and without TensorFlow;
`litert` runs one on bytes as a device would feed them, `inference` on many examples at once;
`tensors` keeps what every operator computes; `model_files` takes a file apart and puts it together
again, which `file_steps` do.
"""
