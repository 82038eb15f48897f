"""Block 1: decides and drives.

Belongs here: the planner (pure), the engine (durable execution) and the use cases that API, CLI and web pages call. It
knows the other three blocks as ports, never as drivers.
"""
