"""Probes: looking at the services of VNFs from outside while a campaign runs, to measure what it costs them."""
