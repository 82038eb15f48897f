"""Gates: whom a campaign asks before it goes on.

Belongs here: the port and its drivers. Not here: when they are asked and what follows, which is the engine's.
"""
