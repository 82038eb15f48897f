"""The console script."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from escalator.cli.interrupts import INTERRUPTED, interrupted_afterwards

if TYPE_CHECKING:
    from pathlib import Path

    from escalator.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    try:
        with interrupted_afterwards():
            from escalator.cli.app import EscalatorApp  # noqa: PLC0415 - an interrupt may be lost in what is imported before
    except KeyboardInterrupt:
        return INTERRUPTED
    arguments = list(sys.argv[1:] if argv is None else argv)
    return EscalatorApp(os.environ, run_server, check_settings=check_settings).run(arguments)


def run_server(config: Path | None) -> None:
    """Serve until told to stop. Raises InputError, ConflictError or PermanentError when that cannot be."""
    import asyncio  # noqa: PLC0415 - server, cloud and engine take two seconds to import: no other command pays for them

    from escalator.allocation import look_less_for_cycles, share_one_heap  # noqa: PLC0415 - as above
    from escalator.logs import configure_logs  # noqa: PLC0415 - as above
    from escalator.serving import serve  # noqa: PLC0415 - as above
    from escalator.settings import read_settings, state_given  # noqa: PLC0415 - as above
    from escalator.state_folder import tell_state  # noqa: PLC0415 - as above

    share_one_heap()
    look_less_for_cycles()
    settings = read_settings(config, os.environ)
    configure_logs(settings.log)
    tell_state(settings.state, state_given(config, os.environ))
    asyncio.run(serve(settings))


def check_settings(settings: Settings) -> None:
    """Raise what `run_server` would raise of files and programs that the settings name; nothing is bound or changed."""
    from escalator.startable import check_startable  # noqa: PLC0415 - as above

    check_startable(settings)


if __name__ == "__main__":
    sys.exit(main())
