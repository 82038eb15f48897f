"""Local repair of a plan in the middle of a campaign: what nothing has happened to stays as it was announced.

It works on the rows of the plan so far and looks for nothing but places for what has lost its own. It is no judge of what it
makes: that is the verifier's, and whatever does not come out sound, or in time, is for the search.
"""
