"""Reading the documents that people write: bounded, safe, and with every problem named at once.

A problem carries its path, its line and, for a key that is not known, the nearest key that is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from escalator.model.codes import Code
from escalator.model.errors import InputError, Problem
from escalator.model.forms import MOMENT, words_of

MAX_BYTES = 64 * 1024 * 1024
"""An inventory of ten thousand nodes is about 40 MB; no honest document is larger."""
MAX_DEPTH = 24
"""The deepest document of ours nests eight levels."""
MAX_PROBLEMS = 50
"""A person mends a page of problems at a time."""

K = TypeVar("K", int, str)

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""RFC 1123 label: the id of a document."""


class Model(BaseModel):
    """Base of every document: frozen, and an unknown key is an error."""

    # Parts of a document are only ever read as parts of one: their own validators are built when somebody asks for them.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True, defer_build=True)

    def model_post_init(self, _: object, /) -> None:
        """Share what says which keys were given: a set of its own for each of 20,000 parts takes as much as their values."""
        _share(self)

    @classmethod
    def of_values(cls, values: dict[str, Any]) -> Self:
        """As `model_construct`, for parts of which there are a hundred thousand: takes every field by its name, and the dict."""
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", values)
        given = _EVERY.get(cls)
        if given is None:
            given = _EVERY[cls] = set(values)
        object.__setattr__(made, "__pydantic_fields_set__", given)
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made

    @classmethod
    def all_of_values(cls, rows: Iterable[dict[str, Any]]) -> list[Self]:
        """As `of_values` for each of the rows, all of which name the same fields."""
        found, given = [], _EVERY.get(cls)
        for values in rows:
            if given is None:
                given = _EVERY[cls] = set(values)
            made = cls.__new__(cls)
            _put_values(made, values)
            _put_given(made, given)
            _put_extra(made, None)
            _put_private(made, None)
            found.append(made)
        return found

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with those values; see pydantic."""
        made = super().model_copy(update=update, deep=deep)
        _share(made)
        return made


# The places of a model's own, written without asking whether it is frozen; by name each would be looked for every time.
_put_values = vars(BaseModel)["__dict__"].__set__
_put_given = vars(BaseModel)["__pydantic_fields_set__"].__set__
_put_extra = vars(BaseModel)["__pydantic_extra__"].__set__
_put_private = vars(BaseModel)["__pydantic_private__"].__set__
_GIVEN: dict[frozenset[str], set[str]] = {}
"""One set for each combination of keys. A frozen model's is never changed, and a copy begins with a copy of it."""
_EVERY: dict[type[Model], set[str]] = {}
"""For each model that is made of all its values, their keys."""
_MOST_GIVEN = 10_000
"""Combinations that are kept: documents have some dozens, and who sends us one after the other does not fill our memory."""


def _share(model: Model) -> None:
    given = model.__pydantic_fields_set__
    key = frozenset(given)
    if len(_GIVEN) < _MOST_GIVEN:
        _GIVEN.setdefault(key, given)
    object.__setattr__(model, "__pydantic_fields_set__", _GIVEN.get(key, given))


class SeveralError(ValueError):
    """A validator found several things wrong at once: each with where it is, seen from what was validated, and what it is."""

    def __init__(self, found: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
        self.found = tuple(found)
        super().__init__("; ".join(message for _, message in self.found[:20]))


def check_each(keys: Iterable[K], check: Callable[[K], object]) -> None:
    """Raise SeveralError with what `check` raises of each of the parts, by its index or its key."""
    found = []
    for key in keys:
        try:
            check(key)
        except ValueError as error:
            found.append(((key,), str(error)))
    if found:
        raise SeveralError(found)


class Metadata(Model):
    """Name and labels of a document."""

    name: DnsLabel
    labels: Mapping[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """Data of a document with the line of each of its paths (empty for JSON)."""

    data: Any
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)


def parse(text: str | bytes) -> Source:
    """Read YAML or JSON text into plain data.

    Raises InputError when it is too large or too deep, is not YAML, uses aliases, or has a key twice.
    """
    if len(text) > MAX_BYTES:
        raise InputError(Code.CFG_TOO_LARGE, f"The document is larger than {MAX_BYTES // 2**20} MiB.")
    if text[:1] in ("{", b"{"):
        return _parse_json(text)
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=_SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "the text is not valid YAML"
        problem = Problem("", what, None if mark is None else mark.line + 1)
        raise InputError(Code.CFG_DOCUMENT, "The document cannot be read.", problems=[problem]) from error
    lines: dict[tuple[str | int, ...], int] = {}
    return Source(None if node is None else _construct(node, (), lines), lines)


def parse_json(text: bytes) -> Source:
    """Read a JSON object, as programs send it. Raises as `parse`, and for YAML too: that takes many times as long to read."""
    text = text.strip()
    if not text.startswith(b"{"):
        raise InputError(Code.CFG_DOCUMENT, "The document is not valid JSON: an object is expected.")
    return parse(text)


def _parse_json(text: str | bytes) -> Source:
    try:
        data = json.loads(text, object_pairs_hook=_unique)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise InputError(Code.CFG_DOCUMENT, f"The document is not valid JSON: {error}.") from error
    if _is_too_deep(data):
        raise _too_deep()
    return Source(data)


def _too_deep() -> InputError:
    return InputError(Code.CFG_TOO_LARGE, f"The document is nested deeper than {MAX_DEPTH} levels.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice!r} stands there twice")
    return value


def _is_too_deep(data: object) -> bool:
    """Level by level, and only what can hold another one: a list of half a million numbers is looked at once."""
    level = [data]
    for _ in range(MAX_DEPTH):
        parts = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list)))
        level = [inner for part in parts for inner in part if isinstance(inner, (dict, list))]
        if not level:
            return False
    return True


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _check_events(text: str | bytes) -> None:
    """Refuse aliases (a few of them can fill any memory) and depth, before anything that recurses sees the text."""
    depth = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            mark: Any = event.start_mark
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise InputError(Code.CFG_TOO_LARGE, f"The document is nested deeper than {MAX_DEPTH} levels.")


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MAX_DIGITS = 400
"""No number of ours has more. The largest float has 309, and what has thousands is refused by Python only when it is written."""
_constructor = yaml.SafeLoader("")


def _construct(node: yaml.Node, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> Any:  # noqa: ANN401 - plain data
    if len(path) > MAX_DEPTH:
        raise InputError(Code.CFG_TOO_LARGE, f"The document is nested deeper than {MAX_DEPTH} levels.")
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _key(key_node)
            if key in result:
                line = key_node.start_mark.line + 1
                raise InputError(
                    Code.CFG_DOCUMENT,
                    "The document cannot be read.",
                    problems=[Problem(dotted((*path, key)), "this key stands there twice", line)],
                )
            result[key] = _construct(value_node, (*path, key), lines)
            lines[*path, key] = key_node.start_mark.line + 1
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*path, index), lines) for index, item in enumerate(node.value)]
    return _scalar(node)


def _key(node: yaml.Node) -> Any:  # noqa: ANN401 - plain data
    value = _scalar(node)
    if not isinstance(value, str | int | float | None):  # a date, or bytes: JSON has no such keys, nor has any document
        raise _not_plain(node)
    return value


def _scalar(node: yaml.Node) -> Any:  # noqa: ANN401 - plain data
    if node.tag in _NUMBERS and ":" in node.value:
        return node.value  # 22:30 is a time of day; YAML 1.1 reads 1350 from it, which nobody has written
    if node.tag in _NUMBERS and len(node.value) > _MAX_DIGITS:
        raise _not_plain(node)
    try:
        value = _constructor.construct_object(node)
        hash(value)
    except (yaml.YAMLError, TypeError, ValueError, LookupError, AttributeError) as error:
        # The last two are what the library says of a tag that does not fit its text, as `!!bool perhaps`.
        raise _not_plain(node) from error
    return value


def _not_plain(node: yaml.Node) -> InputError:
    problem = Problem("", "only plain values are allowed here", node.start_mark.line + 1)
    return InputError(Code.CFG_DOCUMENT, "The document cannot be read.", problems=[problem])


def dotted(path: tuple[str | int, ...]) -> str:
    """`("spec", "groups", 0, "name")` as people write it: `spec.groups[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


M = TypeVar("M", bound=BaseModel)


def load(kind: type[M], source: Source, *, code: Code = Code.CFG_DOCUMENT) -> M:
    """Make a document of `kind` from parsed data; raises InputError with all problems at once."""
    if not isinstance(source.data, dict):
        raise InputError(code, f"{_no_valid(kind)}: a mapping is expected at the top.")
    try:
        # JSON mode lets a list stand for a tuple and a number for a float, but no string for a number.
        return kind.model_validate_json(json.dumps(source.data, default=str))
    except ValidationError as error:
        found = [*_each(error.errors(include_url=False)), *_contradictions(kind, source.data)]
        parts = {tuple(item["loc"][:n]) for item in found for n in range(len(item["loc"]))}
        # A list whose items are wrong is not also too short: that nothing of it is left is no mistake of its own.
        own = (item for item in found if item["type"] != "too_short" or tuple(item["loc"]) not in parts)
        problems = [_problem(kind, item, source) for item in own]
        unique = sorted(set(problems), key=lambda p: (p.line or 0, p.path))[:MAX_PROBLEMS]
        raise InputError(code, f"{_no_valid(kind)}.", problems=unique) from error


def _each(items: Iterable[Any]) -> Iterator[Any]:
    """The items of pydantic, with one for each of several things that a validator found."""
    for item in items:
        error = item.get("ctx", {}).get("error")
        if isinstance(error, SeveralError):
            for path, message in error.found:
                yield {**item, "loc": (*item["loc"], *path), "ctx": {"error": message}}
        else:
            yield item


def _contradictions(kind: type[BaseModel], data: Mapping[str, Any]) -> Iterator[Any]:
    """What the parts of a document say against one another: pydantic looks at that only where each part is well."""
    look: Callable[[Mapping[str, Any]], Iterable[tuple[tuple[str | int, ...], str]]] = getattr(kind, "contradictions", _none)
    for path, message in look(data):
        yield {"type": "value_error", "loc": path, "ctx": {"error": message}}


def _none(_: Mapping[str, Any]) -> Iterable[tuple[tuple[str | int, ...], str]]:
    return ()


def _no_valid(kind: type[BaseModel]) -> str:
    """What is wrong as a whole: a document that says its kind is called by that, any other is just what was given."""
    return f"This is not a valid {kind.__name__}" if "kind" in kind.model_fields else "What was given is not valid"


def _problem(kind: type[BaseModel], item: Any, source: Source) -> Problem:  # noqa: ANN401 - pydantic's error details
    path: tuple[str | int, ...] = tuple(item["loc"])
    while path and path not in source.lines and source.lines and not _exists(source.data, path):
        if item["type"] == "missing":
            break
        path = path[:-1]
    line = next((source.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in source.lines), None)
    return Problem(dotted(tuple(item["loc"]) if item["type"] == "missing" else path), _explain(kind, item), line)


def _exists(data: Any, path: tuple[str | int, ...]) -> bool:  # noqa: ANN401 - plain data
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _explain(kind: type[BaseModel], item: Any) -> str:  # noqa: ANN401 - pydantic's error details
    match item["type"]:
        case "extra_forbidden":
            key = str(item["loc"][-1])
            known = sorted(_keys_at(kind, item["loc"][:-1]))
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys are {', '.join(known)}."
            return f"unknown key; {hint}"
        case "missing":
            return "this key is required"
        case "value_error":
            return str(item["ctx"]["error"])
        case "literal_error":
            return f"{item['input']!r} is not one of {item['ctx']['expected']}"
        case _:
            return plainly(item)


def plainly(item: Any) -> str:  # noqa: ANN401 - pydantic's error details
    """What is wrong with a value, for a person who does not know what reads it."""
    mistake, given = item["type"], item.get("input")
    if said := _form_of(mistake, item):
        return f"{str(given)[:80]!r} {said}"
    if mistake in ("too_short", "too_long"):
        bound = "at least {min_length}" if mistake == "too_short" else "at most {max_length}"
        return f"{bound} expected, and there are {{actual_length}}".format(**item["ctx"])
    shown = "" if isinstance(given, (dict, list)) else f" (given: {str(given)[:80]!r})"
    said = str(item["msg"])
    return said[0].lower() + said[1:] + shown


def _form_of(mistake: str, item: Any) -> str:  # noqa: ANN401 - as above
    """What is said of a text that has not its form; nothing where the form has no words, or the mistake is another one."""
    if mistake.startswith("datetime_") or mistake == "timezone_aware":
        return MOMENT
    return words_of(item["ctx"]["pattern"]) if mistake == "string_pattern_mismatch" else ""


def _keys_at(kind: type[BaseModel], path: tuple[str | int, ...]) -> set[str]:
    """Keys that the document's model knows at a path; models behind optionals, lists and mappings are followed."""
    kinds: list[Any] = [kind]
    for part in path:
        following: list[Any] = []
        for candidate in kinds:
            fields = getattr(candidate, "model_fields", {})
            for name, found in fields.items():
                if part in (name, found.alias):
                    following += _models_in(found.annotation)
        kinds = following or kinds
    return {field.alias or name for k in kinds for name, field in getattr(k, "model_fields", {}).items()}


def _models_in(annotation: Any) -> list[Any]:  # noqa: ANN401 - a typing form
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if annotation is Literal:
        return []
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
