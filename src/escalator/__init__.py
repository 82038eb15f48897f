"""Escalator: an upgrade manager for telecom clouds.

It upgrades the software of an NFV infrastructure node by node while the services on it keep running.
"""
