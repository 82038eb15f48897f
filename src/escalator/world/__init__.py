"""The seeded state of a simulated cloud, its nodes and its VNF managers. It outlives the manager.

Belongs here: what is true in the simulated world, and what follows from an order given to it. Never here: decisions of
the manager, ports, sleeping. Time comes from the clock handed in: an order is kept with its end, and its effect is there
as soon as somebody looks after that. Called by the simulated drivers, by the demo, by rehearsals and by tests.
"""
