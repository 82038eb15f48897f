"""The nouns: inventory, release, campaign, plan, notice, progress, errors.

Belongs here: frozen values and the pure rules about them. Never here: I/O, a clock, randomness, or a
third-party client. Every other package may import this one; it imports none of them.
"""
