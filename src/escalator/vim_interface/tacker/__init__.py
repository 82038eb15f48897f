"""The contract of Tacker's fault notification (v2 API): alarms per instance, notifications, and what is an answer.

Belongs here: what its messages say and mean. Not here: how they travel (`dialects`, `api`).
"""
