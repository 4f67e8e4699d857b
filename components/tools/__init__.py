"""Commands on anybody's `.tflite`: a module a command, over NumPy and LiteRT.

They stand outside the pipeline: no recipe, no store, no key. Each takes files and returns one of
`documents`, which `pipeline/cli/lite.py` prints, as words or as JSON. A file may come from anyone,
so each is looked through (`components/common/lite/structure.py`) before its content is believed.
"""
