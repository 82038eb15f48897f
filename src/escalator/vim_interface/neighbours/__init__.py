"""Systems beside ours that must not take a host in maintenance for a failed one: self-healing, alerting, billing.

Belongs here: ways to tell them. When they are told is the Upgrade Manager's.
"""
