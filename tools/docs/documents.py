"""Pages of the documents that people write, and of the settings: every key with type, default and meaning."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from escalator.model import campaign as campaigns
from escalator.model.inventory import Inventory
from escalator.model.notice import Vnfm
from escalator.model.plan import Plan
from escalator.model.release import Release
from escalator.settings import Settings
from escalator.world.rules import FaultKind, Faults
from tools.docs.markdown import GENERATED, code, sentence, table

MEANINGS: Mapping[str, str] = yaml.safe_load((Path(__file__).parent / "meanings.yaml").read_text())
"""Meaning of keys whose model says nothing itself, as `Model.key`."""
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
NOT_YET: Collection[str] = campaigns._NOT_YET  # noqa: SLF001 - what is refused is what the page has to say
_MAPPINGS = ("Mapping", "dict")


def keys(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel], str, FieldInfo]]:
    """Every key below the model: its path, its model, its name there, and its field."""
    for name, field in kind.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        inner = _model(field.annotation)
        yield path, kind, name, field
        if inner is not None:
            yield from keys(inner, f"{path}{'[]' if _many(field.annotation) else ''}.")


def meaning(kind: type[BaseModel], name: str) -> str:
    """What a key means: by the model's own words, else by the list beside this module; empty when nobody says."""
    said = next((_said(base)[name] for base in kind.__mro__ if issubclass(base, BaseModel) and name in _said(base)), "")
    owner = next((b.__name__ for b in kind.__mro__ if f"{b.__name__}.{name}" in MEANINGS), None)
    inner = _model(kind.model_fields[name].annotation)
    about = inspect.cleandoc(inner.__doc__ or "").split("\n")[0] if inner is not None else ""
    return MEANINGS[f"{owner}.{name}"] if owner else said or about


@cache
def _said(kind: type[BaseModel]) -> Mapping[str, str]:
    """The texts that stand below the fields of a model."""
    if kind is BaseModel:
        return {}
    found = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    body = found.body if isinstance(found, ast.ClassDef) else []
    return {
        field.target.id: text.value.value
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def _plain(annotation: Any) -> Any:  # noqa: ANN401 - a typing form
    return _plain(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _model(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - a typing form
    annotation = _plain(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Literal:
        return None
    return next((model for inner in get_args(annotation) if (model := _model(inner)) is not None), None)


def _many(annotation: Any) -> bool:  # noqa: ANN401 - a typing form
    return get_origin(_plain(annotation)) is tuple


def _type(annotation: Any) -> str:  # noqa: ANN401 - a typing form
    annotation = _plain(annotation)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(map(code, inner))
    if origin in (Union, UnionType):
        return " or ".join("null" if part is NoneType else _type(part) for part in inner)
    if origin is tuple:
        return "list of mappings" if _model(annotation) else f"list of {_type(inner[0])}"
    if getattr(origin, "__name__", "") in _MAPPINGS:
        return f"mapping to {_type(inner[1])}"
    if _model(annotation):
        return "mapping"
    names = {str: "text", int: "integer", float: "number", bool: "boolean", object: "value"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if _model(field.annotation) is not None and not _many(field.annotation):
        return "" if not field.is_required() else "required"
    if field.default_factory is not None:
        made = field.default_factory
        return code("{}") if made is dict else "see the meaning"
    if field.default is PydanticUndefined:
        return "required"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return code(yaml.safe_dump(value, default_flow_style=True, width=1000).split("\n")[0])


def _rows(kind: type[BaseModel], unbuilt: Collection[str]) -> Iterator[tuple[str, ...]]:
    for path, owner, name, field in keys(kind):
        text = sentence(meaning(owner, name))
        if path.removeprefix("spec.") in unbuilt:
            text = f"{text} **Not supported yet**: only {code('smooth') if name == 'mode' else _default(field)} is accepted."
        yield code(path), _type(field.annotation), _default(field), text.strip()


def _page(title: str, intro: str, kind: type[BaseModel], example: str | None, unbuilt: Collection[str] = ()) -> str:
    shown = f"```yaml\n{(EXAMPLES / example).read_text()}```\n" if example else ""
    keyed = table(("Key", "Type", "Default", "Meaning"), _rows(kind, unbuilt))
    return "\n".join((GENERATED, f"# {title}\n", f"{textwrap.fill(intro, 120)}\n", shown, "## Keys\n", keyed))


COMMON = (
    "Documents are YAML or JSON, read with safe parsers and bounds (64 MiB, 24 levels, no aliases, no key twice). An unknown key "
    "is refused with the nearest known one named; all problems of a document are reported at once, each with its line."
)


def campaign_page() -> str:
    """The campaign document."""
    intro = (
        f"The operator's wish: which nodes, which release, how carefully. {COMMON} `escalator campaign validate FILE` checks one "
        "without a server. Keys whose capability is not built yet are accepted only with the value that asks for nothing."
    )
    return _page("Campaign document", intro, campaigns.Campaign, "campaign.yaml", NOT_YET)


def release_page() -> str:
    """The release document."""
    intro = f"What is installed: `release.yaml` in the folder that `escalator release import` takes. {COMMON}"
    return _page("Release document", intro, Release, "release.yaml")


def inventory_page() -> str:
    """The inventory document."""
    intro = (
        f"The cloud as observed (`escalator inventory export`), or a file to plan without one (`escalator plan`). {COMMON} "
        "An instance has to name a node and groups that the document has."
    )
    return _page("Inventory document", intro, Inventory, "inventory.yaml")


def faults_page() -> str:
    """The fault file."""
    kinds = ", ".join(code(kind) for kind in get_args(FaultKind))
    intro = f"What goes wrong in a rehearsal: `escalator rehearse --faults FILE`. Kinds of faults: {kinds}. {COMMON}"
    return _page("Fault file", intro, Faults, "faults.yaml")


def plan_page() -> str:
    """The plan document."""
    intro = (
        "The decision, with its report. JSON; made by `escalator campaign plan` and `escalator plan`, never written by hand. "
        "Intervals are [start, end) in seconds of working time from the start of the campaign; at equal times ends come first. "
        "Waiting for replies is not in a plan."
    )
    return _page("Plan document", intro, Plan, None)


def vnfm_page() -> str:
    """The registration of a VNF manager."""
    intro = (
        "A VNF manager as it is registered: by `escalator vnfm register` or `POST /v1/vnfms`. An instance belongs to the VNF "
        "manager that names it, else to the one that names its VNF, else to the one that names its project."
    )
    return _page("VNF manager registration", intro, Vnfm, None)


def settings_page() -> str:
    """The settings."""
    intro = (
        "Later sources win: the file given with `escalator serve --config`, then `conf.d/*.yaml` beside it in order of name, "
        "then variables `ESCALATOR_<SECTION>__<KEY>` (`ESCALATOR_SERVER__PORT=8480`; values are read as YAML). All problems of "
        "all sources are reported together. `escalator config show` prints what is in force. `ESCALATOR_URL` and "
        "`ESCALATOR_TOKEN_FILE` are the command line's own: where its server and the token are."
    )
    return _page("Settings", intro, Settings, "settings.yaml")
