"""The dialects of VNF managers. Each translates only: no decision, no retry, no state of ours."""
