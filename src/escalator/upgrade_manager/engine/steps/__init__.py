"""The kinds of steps, one file each: do, undo, verify. Each is safe to repeat.

Belongs here: what one step does through the ports. Never here: order, retries, gates (the runner and the courses have
these), drivers.
"""
