"""Tests on real hosts."""

from __future__ import annotations

from beds.nodes.fixtures import manager, nodes_bed, release_folders

__all__ = ["manager", "nodes_bed", "release_folders"]
