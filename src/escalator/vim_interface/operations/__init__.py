"""Lifecycle operations of VNFs that are under way at their managers: what one is at work on is not touched.

A VNF that is being healed, scaled or instantiated is not in the state that its limits and its manager's answer are about.
"""
