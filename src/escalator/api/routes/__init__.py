"""The operators' resources, one file each. A route reads its input, calls one use case, and shapes the reply."""
