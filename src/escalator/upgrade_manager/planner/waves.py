"""The search of the first planner: waves of the emptiest nodes, each instance moved once to a named target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from escalator.model.inventory import Instance, Inventory, Node
from escalator.upgrade_manager.planner.actions import Action, Leaves, Stays
from escalator.upgrade_manager.planner.placement import Target, place_together
from escalator.upgrade_manager.planner.room import Room


@dataclass(frozen=True, slots=True)
class Placed:
    """One instance of a node with where it goes."""

    instance: Instance
    kind: str
    target: Target


@dataclass(frozen=True, slots=True)
class NodeTurn:
    """One node of a wave: what leaves it and what stays."""

    node: Node
    moves: tuple[Placed, ...]
    stays: tuple[tuple[Instance, Stays], ...]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A node that no wave could take, with the first instance that found no room."""

    node: Node
    instance: Instance | None
    reason: str


class WaveSearch:
    """Builds waves greedily. One object serves one planning run."""

    def __init__(self, inventory: Inventory, room: Room, actions: Mapping[str, Action], upgraded: Sequence[Node]) -> None:
        self._by_node = {node.id: list(inventory.instances_by_node.get(node.id, ())) for node in inventory.nodes}
        self._room = room
        self._actions = actions
        self._upgraded = list(upgraded)

    def run(self, nodes: Sequence[Node], width: int) -> tuple[list[list[NodeTurn]], list[Unplaced]]:
        """Waves of at most `width` nodes, emptiest first, and the nodes that no wave could take."""
        waiting = sorted(nodes, key=self._effort)
        waves: list[list[NodeTurn]] = []
        while waiting:
            wave, refused = self._wave(waiting, width, spared=width)
            if not wave:
                # Nodes whose turn is next take something when nobody else has room, as in a cloud of two nodes.
                wave, refused = self._wave(waiting, 1, spared=0)
            if not wave:
                return waves, refused
            gone = {turn.node.id for turn in wave}
            waiting = [node for node in waiting if node.id not in gone]
            self._finish(wave)
            waves.append(wave)
        return waves, []

    def _effort(self, node: Node) -> tuple[float, int, str]:
        leaving = [i for i in self._by_node[node.id] if isinstance(self._actions[i.id], Leaves)]
        return (sum(i.memory_gib for i in leaving), len(leaving), node.id)

    def _wave(self, waiting: Sequence[Node], width: int, *, spared: int) -> tuple[list[NodeTurn], list[Unplaced]]:
        wave: list[NodeTurn] = []
        refused: list[Unplaced] = []
        touched: set[str] = set()  # groups with a member that stays on a node of this wave
        moved: set[str] = set()  # groups with a member that leaves a node of this wave
        arrived: set[str] = set()  # nodes that take an instance in this wave: they cannot go in it
        for node in waiting:
            if len(wave) == width:
                break
            if node.id in arrived:
                refused.append(Unplaced(node, None, "it takes instances of this wave"))
                continue
            groups = self._groups(node)
            if groups.staying & (touched | moved) or groups.leaving & touched:
                refused.append(Unplaced(node, None, "another member of one of its groups is impacted in this wave"))
                continue
            going = {turn.node.id for turn in wave} | {node.id}
            later = [n for n in waiting if n.id not in going]
            turn = self._turn(node, later[spared:])
            if isinstance(turn, Unplaced):
                refused.append(turn)
                continue
            wave.append(turn)
            touched |= groups.staying
            moved |= groups.leaving
            arrived |= {placed.target.node.id for placed in turn.moves}
        return wave, refused

    def _groups(self, node: Node) -> _Groups:
        staying, leaving = set(), set()
        for instance in self._by_node[node.id]:
            action = self._actions[instance.id]
            if isinstance(action, Leaves):
                leaving |= set(instance.groups)
            elif isinstance(action, Stays) and action.kind != "offline":
                staying |= set(instance.groups)
        return _Groups(staying, leaving)

    def _turn(self, node: Node, later: Sequence[Node]) -> NodeTurn | Unplaced:
        placed: list[Placed] = []
        stays = []
        for instance in sorted(self._by_node[node.id], key=lambda i: (-i.memory_gib, i.id)):
            action = self._actions[instance.id]
            if isinstance(action, Stays):
                stays.append((instance, action))
                continue
            if any(other.instance is instance for other in placed):
                continue
            bundle = self._bundle(instance)
            targets = place_together(bundle, self._room, self._upgraded, later)
            if targets is None:
                for other in placed:
                    self._room.leave(other.instance, other.target.node.id, other.target.cells)
                return Unplaced(node, instance, f"no node has room for {_said(bundle)}")
            placed += [Placed(i, self._kind(i), target) for i, target in zip(bundle, targets, strict=True)]
        return NodeTurn(node, tuple(placed), tuple(stays))

    def _bundle(self, instance: Instance) -> list[Instance]:
        """The instance with those on its node that hard affinity makes leave with it, directly or by others."""
        bundle = [instance]
        for member in bundle:  # grows
            tied = {g for g in member.groups if self._room.policy(g) == "affinity"}
            if tied:
                bundle += [i for i in self._by_node[instance.node] if i not in bundle and tied & set(i.groups)]
        return bundle

    def _kind(self, instance: Instance) -> str:
        action = self._actions[instance.id]
        return action.kind if isinstance(action, Leaves) else "live"

    def _finish(self, wave: Sequence[NodeTurn]) -> None:
        for turn in wave:
            for placed in turn.moves:
                self._room.leave(placed.instance, turn.node.id, placed.instance.cells)
                self._by_node[turn.node.id].remove(placed.instance)
                self._by_node[placed.target.node.id].append(_moved(placed))
            self._upgraded.append(turn.node)


def _said(bundle: Sequence[Instance]) -> str:
    if len(bundle) == 1:
        return f"instance {bundle[0].id}"
    return "instances " + ", ".join(i.id for i in bundle) + " together, as affinity demands"


def _moved(placed: Placed) -> Instance:
    cells = placed.target.cells
    where = cells[0] if len(cells) == 1 else cells
    return placed.instance.model_copy(update={"node": placed.target.node.id, "numa_cell": where})


@dataclass(frozen=True, slots=True)
class _Groups:
    staying: set[str]
    leaving: set[str]
