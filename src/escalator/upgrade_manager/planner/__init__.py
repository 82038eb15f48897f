"""The planner: pure functions from values to a plan.

Belongs here: conditions, placement, waves. Never here: I/O, a clock, a port. Synchronous; run in a worker process where
a loop must not block.
"""
