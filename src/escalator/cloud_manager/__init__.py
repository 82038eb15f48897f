"""Block 3: the virtual resources.

Belongs here: the port that the Upgrade Manager knows and its drivers (`openstack`, `simulated`). Never here: decisions.
Only `wiring` imports drivers; nothing here knows the other blocks.
"""
