"""What a database cannot hold names nothing, and is the caller's mistake where the database minds."""

from __future__ import annotations

from contextlib import suppress

from escalator.model.errors import InputError
from escalator.storage.port import Store

NUL = "a\0b"


async def test_a_name_with_nul_names_nothing(store: Store) -> None:
    found: list[object] = []
    for ask in (store.campaigns.get(NUL), store.vnfms.get(NUL), store.notices.by_token(NUL), store.tasks.get(NUL, NUL)):
        with suppress(InputError):
            found.append(await ask)
    assert set(found) <= {None}
