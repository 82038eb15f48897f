"""Scripts that run on the node: POSIX shell and the standard library of the node's Python 3.7 or later, nothing else."""
