"""The DAG on this machine through kfp.local: a driver, and the child that leads the tasks.

The `driver` shows the run, and stops it when it is told to; it imports no kfp. Its child, `worker`,
runs the DAG, each task in a process of its own. All three kinds of processes end when the driver
does, however that ends.
"""
