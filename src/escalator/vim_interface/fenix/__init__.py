"""The contract of OpenStack Fenix, as its VNF managers know it: events, replies, constraints.

Belongs here: what its messages say and mean. Not here: how they travel (`dialects`, `api`).
"""
