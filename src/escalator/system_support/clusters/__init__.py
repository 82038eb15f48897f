"""What nodes carry together with others: control clusters, gateways and routers, what is stored.

Belongs here: the port that the Upgrade Manager asks before a node of such a role goes and after it is back, and its drivers
(the operator's commands, the simulated world). Never here: decisions.
"""
