"""Makes the reference pages from the code, so that the two cannot say different things."""
