"""Pages of error codes and exit codes, from their explanations and the error tree."""

from __future__ import annotations

import ast
import inspect

from escalator.model import errors
from escalator.model.explanations import EXPLANATIONS
from tools.docs.markdown import GENERATED, code, sentence, table

BLOCKS = {
    "UPG": "Upgrade Manager",
    "PLN": "Planner",
    "VIM": "VIM Interface",
    "CLD": "Cloud Manager",
    "SYS": "System Support",
    "STO": "Storage",
    "API": "API",
    "CFG": "Configuration and documents",
}


def page() -> str:
    """The page of error codes."""
    parts = [
        GENERATED,
        "# Error codes\n",
        "Every failure carries one code. It is the same in the log (`code`), in the history (`escalator event list`), in the",
        "`code` member of a problem document of the REST API, and on the command line. A code never changes its meaning.",
        "What to do about a failure stands beside its message (`remedy` in the API, *What to do* on the command line);",
        "`escalator explain CODE` shows what stands here. The [exit code](exit-codes.md) tells a script the kind of failure.\n",
    ]
    for block, title in BLOCKS.items():
        rows = [
            (code(c.value), sentence(said.meaning), said.causes, said.then)
            for c, said in EXPLANATIONS.items()
            if c.value.startswith(f"ESC-{block}-")
        ]
        parts += [f"## {title}\n", table(("Code", "Meaning", "Comes from", "What to do"), rows)]
    return "\n".join(parts)


def _error_rows() -> list[tuple[str, str, str, str]]:
    tree = ast.parse(inspect.getsource(errors))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    kinds = [getattr(errors, name) for name in names]
    return [
        (code(kind.__name__), str(kind.exit_code), str(kind.http_status), sentence((kind.__doc__ or "").split("\n")[0]))
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, errors.EscalatorError)
    ]


def exits_page() -> str:
    """The page of exit codes."""
    exits = (
        ("0", "It worked. For `campaign start --wait` and `campaign show --watch`: the campaign completed."),
        ("1", "It failed; for a campaign that was followed: it was aborted."),
        ("2", "The command was called wrongly, a document is not valid, or there is no such object."),
        ("3", "Conditions do not hold: the plan is not smooth."),
        ("4", "A person has to decide: the campaign is paused or suspended, or the cloud changed since the plan."),
        ("5", "What was waited for did not happen in time."),
        ("6", "Another change came first, or the state does not allow the action."),
        ("7", "Who asked may not do this."),
        ("130", "Interrupted with Ctrl-C."),
        ("141", "Whoever read the output went away."),
    )
    return "\n".join(
        (
            GENERATED,
            "# Exit codes\n",
            "The same for every command. Messages go to standard error, results to standard output.\n",
            table(("Exit code", "Meaning"), exits),
            "## Where they come from\n",
            "Each kind of error has one exit code and one HTTP status. Drift of the cloud beyond what was approved is the one",
            "exception: a `ConditionsError` with exit code 4, because a person decides.\n",
            table(("Error", "Exit code", "HTTP status", "Meaning"), _error_rows()),
        )
    )
