"""System Support by playbooks. Ansible is run as a program of its own and never imported: `play.py` speaks to it.

Nobody imports this package but wiring.
"""
