"""The independent verifier: replays a plan event by event against the semantics of the format.

It shares no code with the search; both read the same documents, and nothing else of one another.
"""
