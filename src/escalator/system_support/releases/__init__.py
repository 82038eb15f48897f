"""Releases: checked at import, kept by content, served to nodes as a signed apt repository.

Belongs here: what makes a folder a release, the files on disk, the repository made from them and its key. Rows go
through the storage port; this package opens no connection and starts no listener.
"""
