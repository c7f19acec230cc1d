"""One backend on one workload: in a process of its own, from the job to the row."""
