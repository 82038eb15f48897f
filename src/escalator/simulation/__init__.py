"""Demo and rehearsal: the same campaign and node code on a simulated cloud, in virtual time.

Belongs here: putting world, simulated drivers, memory storage and memory runtime together. Never here: campaign code.
"""
