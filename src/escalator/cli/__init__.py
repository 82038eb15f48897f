"""The command line: noun verb, tables for people, JSON for programs, exit codes for scripts.

Belongs here: arguments, what is printed, exit codes. Never here: decisions; server commands call the REST API, offline
ones call the planner. Messages go to standard error; standard output carries the result and nothing else.
"""
