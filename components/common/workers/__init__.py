"""Several pods that train one model: what starts them, and what each knows of the others.

On a cluster a task that would compute lets a JobSet do it, and waits for the result in the store.
`launcher` leads that and `waiting` watches; `jobset` makes and judges the objects, and
`jobset_api` alone talks to Kubernetes; `launches` is what lies under the data root for the
workers, `worker` which of them a process is. Except for `worker`, none of it decides what is
computed or enters a key.
"""
