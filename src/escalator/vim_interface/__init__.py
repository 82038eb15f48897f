"""Block 2: VNF managers and orchestrators.

Belongs here: the port that the Upgrade Manager knows, the registry, the negotiation of deadlines and answers, outbox and
inbox, dialects that only translate, and the simulated VNF managers. Never here: what happens to a node because of an
answer. Nothing here knows the other blocks.
"""
