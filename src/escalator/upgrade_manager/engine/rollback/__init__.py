"""The way back: what a campaign changed is undone, node after node, the latest first.

Belongs here: what of a campaign can be undone, the plan for it, its drive, a node's turn, and the end of all of it, when
backups are given up. Never here: what both ways share (steps, doors, windows, the board).
"""
