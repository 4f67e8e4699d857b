"""Examples at rest: TFRecords, shards, arrays, and which example is in which split."""
