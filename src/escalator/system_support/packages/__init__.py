"""The `packages` driver: Debian packages over SSH, from the manager's own signed repository.

Belongs here: what is run on a node (`on_node/`), and what its answers mean. Nothing here decides on retry.
"""
