"""Explanations of codes: storage, API, settings and documents."""

from __future__ import annotations

from escalator.model.codes import Code
from escalator.model.explanation import Explanation

SERVER = {
    Code.STO_UNAVAILABLE: Explanation(
        meaning="the database does not answer",
        causes=(
            "PostgreSQL is down, the disk of the state directory is full, with the SQLite files and the break-glass sheet on it,"
            " or it is a share that forgets locks."
        ),
        then="df -h of the state directory. With room again, or the database back, what was under way goes on by itself",
    ),
    Code.STO_SCHEMA: Explanation(
        meaning="the database's schema is newer than this Escalator",
        causes="An older Escalator was started on a newer one's database.",
        then="Start the newer version; schemas do not go back",
    ),
    Code.STO_LOCKED: Explanation(
        meaning="another server uses this state directory",
        causes="A server runs already on this state directory, or a simulated world is open elsewhere.",
        then="Stop it, or set another state_dir",
    ),
    Code.STO_FILE: Explanation(
        meaning="the state directory or the database's file cannot be used",
        causes=(
            "No right to write, a full disk, a file where a folder is meant, a file that is no database, or a row that another"
            " version wrote."
        ),
        then="ls -l and df -h of the state directory; where the file is damaged, the backup; meanwhile the break-glass sheet",
    ),
    Code.STO_LOST: Explanation(
        meaning="the database is not the one that the state directory's break-glass sheet belongs to",
        causes="The database's file is gone, its disk is not mounted, database.url names an empty database, or it was lost.",
        then=(
            "Put the database back. Where it is lost for good: move the sheet aside, as the message says, start again,"
            " and put back by hand what it names (docs/howto/break-glass.md)"
        ),
    ),
    Code.API_BODY: Explanation(
        meaning="the request's body is not valid",
        causes="A key or value that is not known, or not valid JSON.",
        then="Each problem is named with its path; docs/reference has the form",
    ),
    Code.API_TOKEN: Explanation(
        meaning="the bearer token or other credential is missing or wrong",
        causes=(
            "Of a command: the token file is of another server, or was made anew. Of a VNF manager: what it shows is not the"
            " credential that the operator gave it, or it may not subscribe."
        ),
        then=(
            "ESCALATOR_TOKEN_FILE or ESCALATOR_STATE_DIR of the server that you talk to; of a VNF manager the file in"
            " credentials_dir that its registration names (escalator vnfm show NAME)"
        ),
    ),
    Code.API_HOST: Explanation(
        meaning="the Host or Origin header names another site",
        causes="A browser or proxy calls under another name than the server's.",
        then="Use the address that the listener is bound to",
    ),
    Code.API_TOO_LARGE: Explanation(
        meaning="the request is too large",
        causes="A body beyond its bound: a reply, a document, a file.",
        then="Split it; the message names the bound",
    ),
    Code.API_NOT_FOUND: Explanation(
        meaning="no such resource",
        causes="A path that this version does not have.",
        then="GET /openapi.json",
    ),
    Code.API_UNREACHABLE: Explanation(
        meaning="the server does not answer",
        causes="No server runs at ESCALATOR_URL, or it is just starting.",
        then="escalator serve; its log",
    ),
    Code.API_TIMEOUT: Explanation(
        meaning="what was waited for did not happen in time",
        causes="What --wait waited for takes longer than --timeout.",
        then="It goes on: escalator campaign show NAME",
    ),
    Code.API_INTERNAL: Explanation(
        meaning="an internal error; the log has the details",
        causes="A defect. Nothing was lost by it.",
        then="Report it with the log's lines of that time",
    ),
    Code.API_METHOD: Explanation(
        meaning="the resource does not know this method",
        causes="GET where POST is meant, or the other way round.",
        then="GET /openapi.json",
    ),
    Code.API_PORT: Explanation(
        meaning="a listener's address cannot be bound",
        causes="Another program has the port, or the address is not this machine's.",
        then="ss -ltnp; set host or port of the listener that is named",
    ),
    Code.API_TLS: Explanation(
        meaning="a listener's certificate or key cannot be used",
        causes="A file is missing or unreadable for the server, is no PEM, is encrypted, or key and certificate do not match.",
        then="openssl x509 -noout -subject -enddate -in CERTIFICATE; set tls of the listener that is named",
    ),
    Code.API_ROOM: Explanation(
        meaning="the disk of the state directory has no room for what is sent",
        causes="Little is free: a release has to fit beside what stays free for the databases. The message names both amounts.",
        then="df -h of the state directory; escalator release list shows what can be removed",
    ),
    Code.CFG_SETTINGS: Explanation(
        meaning="the settings are not valid",
        causes="A misspelt key, a wrong type, or two settings that exclude each other.",
        then="Each problem is named with file and path; docs/reference/settings.md",
    ),
    Code.CFG_DOCUMENT: Explanation(
        meaning="the document is not valid",
        causes="A misspelt key, a wrong type or an impossible value.",
        then="Each problem is named with path and line; escalator campaign validate FILE",
    ),
    Code.CFG_FILE: Explanation(
        meaning="the file cannot be read",
        causes="It is not there, may not be read, or is no text.",
        then="ls -l; the message has the path",
    ),
    Code.CFG_TOO_LARGE: Explanation(
        meaning="the document is larger or deeper than allowed",
        causes="More bytes, depth or entries than a document may have: a wrong file, as a rule.",
        then="Check which file was named",
    ),
    Code.CFG_UNSUPPORTED: Explanation(
        meaning="the document asks for what is not supported yet",
        causes="A key or value of the format whose capability is not built yet. It is refused, never ignored.",
        then="Leave the key out; docs/explanation/requirements.md says what stands where",
    ),
    Code.CFG_USAGE: Explanation(
        meaning="options of a command that do not go together",
        causes="Options that exclude or need each other.",
        then="escalator help COMMAND",
    ),
    Code.CFG_GATE: Explanation(
        meaning="a campaign names a gate that the server's settings do not have, or whose command cannot be started",
        causes="The name is misspelt, or the server was started with other settings.",
        then="Each problem names the nearest gate; add it to gates in the settings, or correct the campaign",
    ),
    Code.CFG_DRIVER: Explanation(
        meaning="a campaign names a driver that the server does not have",
        causes="node.driver is left out (packages is meant then) or names another one than the server's settings configure.",
        then="The problem names those that there are: correct node.driver in the campaign, or the settings",
    ),
}
"""By code."""
