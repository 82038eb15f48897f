"""Page of the REST API's endpoints, from the committed OpenAPI documents."""

from __future__ import annotations

import json
from pathlib import Path

from tools.docs.markdown import GENERATED, code, sentence, table

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def _rows(file: str) -> list[tuple[str, str, str]]:
    paths = json.loads((REFERENCE / file).read_text())["paths"]
    return [
        (method.upper(), code(path), sentence(str(found.get("description") or found.get("summary", "")).split("\n")[0]))
        for path, methods in paths.items()
        for method, found in methods.items()
    ]


def page() -> str:
    """The page of endpoints."""
    titles = ("Method", "Path", "What it does")
    return "\n".join(
        (
            GENERATED,
            "# REST API\n",
            "Three listeners, each bound where it has to be. Errors are `application/problem+json` with the members `code`",
            "([error codes](error-codes.md)), `detail`, `remedy`, `problems` and `exit_code`.\n",
            "## Operators\n",
            "`server.host` and `server.port`. Every call but health, readiness and the OpenAPI document needs",
            "`Authorization: Bearer <token>`; the token stands in the file `token` of the state directory. Full document:",
            "[openapi.json](openapi.json). Query parameters that a call does not have are refused.\n",
            table(titles, _rows("openapi.json")),
            "## VNF managers\n",
            "`vnfm.host` and `vnfm.port`. Full document: [openapi-vnfm.json](openapi-vnfm.json); see also",
            "[the Vi-Vnfm messages](vi-vnfm.md).\n",
            table(titles, _rows("openapi-vnfm.json")),
            "## Nodes\n",
            "`repository.host` and `repository.port`: `GET` of the files of the signed apt repository, nothing else.\n",
        )
    )
