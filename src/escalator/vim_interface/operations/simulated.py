"""Operations of the simulated VNF managers: the world knows them."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.notice import Vnfm
from escalator.vim_interface.operations.port import Operation
from escalator.world.vnfms import Vnfms


class SimulatedOperations:
    """Reads them from one world."""

    def __init__(self, vnfms: Vnfms) -> None:
        self._vnfms = vnfms

    def watches(self, vnfm: Vnfm) -> bool:
        """Whether it lives in the world."""
        return vnfm.spec.dialect == "simulated"

    async def running(self, vnfm: Vnfm) -> Sequence[Operation]:
        """Every operation that has not ended."""
        running = self._vnfms.operations(vnfm.name)
        return [Operation(vnfm=vnfm.name, what=f"{what} of VNF {vnf}", vnf=vnf) for vnf, what in running.items()]
