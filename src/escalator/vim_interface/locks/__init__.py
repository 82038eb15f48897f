"""Keys at a lock service: never two sites with one key at once.

Belongs here: the port and its drivers. Not here: when keys are held and what follows from losing one, which is the engine's.
"""
