"""How long things take in the simulated world, and chance that does not depend on the order of calls."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Durations in seconds; `jitter` is the share by which each may be longer or shorter."""

    live_base_s: float = 5.0
    live_s_per_gib: float = 1.04
    cold_s: float = 120.0
    stop_s: float = 5.0
    start_s: float = 10.0
    upgrade_s: float = 600.0
    rollback_s: float = 300.0
    reboot_s: float = 240.0
    jitter: float = 0.0
    speed: float = 1.0
    """How many times faster than real everything runs."""
    seed: int = 1
    resume_guests: bool = True
    """Whether a booting node starts the instances again that ran on it when it went down."""

    def move_s(self, memory_gib: float, kind: str) -> float:
        """Nominal duration of one move."""
        extra = self.cold_s if kind == "cold" else 0.0
        return self.live_base_s + self.live_s_per_gib * memory_gib + extra

    def real(self, nominal_s: float, *key: object) -> float:
        """A nominal duration with jitter and speed; the same key gets the same duration in every run."""
        if self.jitter:
            nominal_s *= 1.0 + self.jitter * (2.0 * draw(self.seed, *key) - 1.0)
        return nominal_s / self.speed


def draw(seed: int, *key: object) -> float:
    """A number in [0, 1) that depends on seed and key alone."""
    digest = blake2b(f"{seed}:{key}".encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56
