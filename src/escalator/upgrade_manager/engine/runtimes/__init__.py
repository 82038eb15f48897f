"""The two runtimes: `dbos` (durable, on SQLite or PostgreSQL) and `memory` (a journal and a virtual clock)."""
