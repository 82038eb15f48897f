"""The engine: carries a plan out, durably.

Belongs here: the campaign's and the node's course (which read like the design's arrows, top to bottom), the steps, the
state tables, admission, and the two runtimes. Never here: a driver, SQL, or a choice that the plan has made.
"""
