"""Block 4: the node itself: its packages, daemons, reboots.

Belongs here: the port that the Upgrade Manager knows, its drivers (`packages`, `command`, `simulated`) and the store of
releases. Never here: decisions. Only `wiring` imports drivers; nothing here knows the other blocks.
"""
