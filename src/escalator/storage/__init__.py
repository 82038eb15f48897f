"""Escalator's own tables, behind a port with one part per subject.

Belongs here: the port, its SQL implementation (SQLAlchemy Core on SQLite and PostgreSQL), its in-memory twin for
rehearsals, migrations. Never here: rules about what may be stored when; these come in as arguments.
"""
