"""`.tflite` files: what they say of themselves, and what LiteRT answers.

`structure` looks through a file before anything in it is believed, `graph` reads its tensors and
layers, `tflite` describes it as documents do, with what it packs to
(`packing`); `metadata` says what it is, in `metadata_tables`;
`litert` runs one on bytes as a device would feed them, `latency` takes its time, `inference` runs
it on many examples at once; `tensors` keeps what every operator computes; `model_files` takes a
file apart and puts it together again, which `file_steps` do.
"""
