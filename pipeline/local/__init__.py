"""The DAG on this machine through kfp.local: a driver, and the child that leads the tasks."""
