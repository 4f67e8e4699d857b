"""Examples at rest: TFRecords, shards, arrays, and which example is in which split.

An example is a `tf.train.Example` in a shard, a TFRecord file that the dataset manifest names with
its digest. All of it is read and written here without TensorFlow: `features` is one example,
`records` a file of them, `shards` the files of a split where they lie or copied ahead of the
reader, `examples` what a manifest's shards hold. `arrays` are npz files, inside `zips` whose bytes
depend on nothing but their content: `predictions` and `membership` (which example is in which
split) are such. `torch_weights` reads the tensors of a PyTorch file, and `pickles` what names them,
without running anything. `layout` knows what the names of folders in a source mean.
"""
