"""Which modules shape no stored output: a code digest does not enter them.

What the store answers with is the bytes that a stage left in its output's folder. A module is
listed here where none of these bytes, and so no later one, depends on what its code does; then
they depend on nothing that it alone imports either. It may move bytes that something else
compares with a digest, tell of a computation, or decide when and where it goes on; it may not
decide what is computed. A module in doubt is not listed: a key that moves too often costs a
computation, one that does not move answers with what the code no longer makes.

This module is one of them: that a module is listed here changes the digests of those stages that
reach it, and no others need notice.
"""

RESULT_NEUTRAL = frozenset(
    f"components/common/{name}.py"
    for name in (
        "result_neutral",
        # Where a run's places are. Of a data set's address its content enters keys, resolved.
        "run_context",
        # How bytes get from one place to another, and how often it is tried. Manifests, records
        # and the store have sizes, checksums or digests of what must arrive.
        "storage/__init__",
        "storage/cloud_errors",
        "storage/cloud_storage",
        "storage/files",
        "storage/local",
        "storage/locks",
        "storage/opening",
        "storage/storage",
        # Finds entries by key and believes none without its digest.
        "shell/store",
        # What stands beside outputs: records, tasks' results and receipts; where outputs lie.
        "documents/record",
        # Which document goes on to other tasks: the bundle of which it tells is in the store.
        "models/handing_on",
        # What is told of a computation: to the terminal, the live view, TensorBoard; and to its
        # record of time, memory, speed and versions. How memory is measured is not listed: the
        # benchmark's output has it.
        "process/events",
        "process/libraries",
        "shell/effort",
        "shell/local_runner",
        "shell/misses",
        "shell/results",
        "training/clock",
        "training/tensorboard",
        "words/terminal",
        # When a computation is told to end. What it goes on from is checkpoints' and
        # resumption's, which shape what comes after: these are not listed.
        "process/termination",
        # Waiting for workers that compute under the same key.
        "workers/jobset",
        "workers/jobset_api",
        "workers/launcher",
        "workers/launches",
        "workers/waiting",
    )
)
"""Their files, relative to the folder of the top-level packages."""
