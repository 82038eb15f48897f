"""Whom a site trusts with releases, and what their signatures are worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import SSlibKey

from escalator.model.codes import Code
from escalator.model.counting import counted
from escalator.model.errors import ConditionsError, InputError, Problem
from escalator.settings import ReleaseTrust
from escalator.system_support.releases.envelope import Envelope, Signed, as_signature
from escalator.system_support.releases.keypair import load_public, public_key, raw_public_key

SHOWN_KEYID = 12
"""Characters of a key's id that tell it from others."""
SETTINGS = "releases.trust"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the signatures of one envelope are worth."""

    names: tuple[str, ...]
    """Trusted keys that signed exactly this document, each once, in order of name."""
    reasons: tuple[str, ...]
    """Why each of the other signatures does not count."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Public keys by name, and how many of them have to have signed."""

    keys: Mapping[str, SSlibKey]
    threshold: int
    where: str = SETTINGS
    """Where the keys stand, for those who read a refusal."""

    def judge(self, envelope: Envelope) -> Judgement:
        """Verify every signature. A key counts once, however often and under whatever names it stands there."""
        signed_bytes = envelope.signed_bytes
        by_id = {key.keyid: (name, key) for name, key in self.keys.items()}
        names: set[str] = set()
        reasons = []
        for signed in envelope.signatures:
            name, key = by_id.get(signed.keyid, ("", None))
            if key is None:
                reasons.append(f"key {signed.keyid[:SHOWN_KEYID]} is not trusted here")
            elif not _fits(key, signed, signed_bytes):
                reasons.append(f"the signature by {name} does not fit: the document was changed after it, or it is another's")
            elif name in names:
                reasons.append(f"{name} has signed twice, which counts once")
            else:
                names.add(name)
        return Judgement(tuple(sorted(names)), tuple(reasons))

    def require(self, envelope: Envelope) -> tuple[str, ...]:
        """Names of who signed. Raises ConditionsError (`SYS_SIGNATURES`) when they are too few, with every reason."""
        found = self.judge(envelope)
        if len(found.names) >= self.threshold:
            return found.names
        if not envelope.signatures:
            raise unsigned(self.threshold, self.where)
        by = f" ({', '.join(found.names)})" if found.names else ""
        why = f": {'; '.join(found.reasons)}" if found.reasons else ""
        needed = counted(self.threshold, "signature that is", "signatures that are")
        message = f"The release has {len(found.names)} of {needed} needed{by}{why}."
        raise ConditionsError(Code.SYS_SIGNATURES, message)

    def recorded(self, names: Iterable[str]) -> Mapping[str, str]:
        """The keys of these names in hexadecimal form, to be kept with what they vouched for."""
        return {name: str(self.keys[name].keyval["public"]) for name in names}


def unsigned(threshold: int, where: str = SETTINGS) -> ConditionsError:
    """The error for a release that nobody signed, where somebody has to."""
    message = f"The release is unsigned; {threshold} of the keys in {where} have to have signed it."
    remedy = "escalator release build DIR --out FILE; escalator release sign FILE --key KEYFILE"
    remedy += "; escalator release import FILE" if where == SETTINGS else ", the key being one of them"
    return ConditionsError(Code.SYS_SIGNATURES, message, remedy=remedy)


def as_recorded(keys: Mapping[str, str]) -> Trust:
    """The trust under which a release was taken in: all of the keys that were recorded with it."""
    return Trust({name: raw_public_key(text) for name, text in keys.items()}, len(keys))


def trust_of(settings: ReleaseTrust) -> Trust | None:
    """The trust store of the settings; None when there is none. Raises InputError (`CFG_SETTINGS`) with all problems."""
    keys: dict[str, SSlibKey] = {}
    problems = []
    for index, one in enumerate(settings.keys):
        try:
            keys[one.name] = public_key(one.public) if one.public is not None else load_public(Path(one.file or ""))
        except (ValueError, InputError) as error:
            why = error.message if isinstance(error, InputError) else str(error)
            problems.append(Problem(f"releases.trust.keys[{index}]", why))
    problems.extend(Problem("releases.trust.keys", text) for text in _twins(keys))
    if problems:
        raise InputError(Code.CFG_SETTINGS, "The settings are not valid.", problems=problems)
    return Trust(keys, settings.threshold) if keys else None


def trust_of_folders(folders: Sequence[Path], threshold: int) -> Trust:
    """The public keys (`*.pub`, `*.pem`) of folders, each by its file's name. Raises InputError (`SYS_KEY`)."""
    keys: dict[str, SSlibKey] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(Code.SYS_KEY, f"{folder} is no folder.")
        for file in sorted((*folder.glob("*.pub"), *folder.glob("*.pem"))):
            if file.stem in keys:
                raise InputError(Code.SYS_KEY, f"Two keys are named {file.stem}.", remedy="Name each key's file differently.")
            keys[file.stem] = load_public(file)
    twins = list(_twins(keys))
    if twins or len(keys) < threshold:
        why = "; ".join(twins) or f"{threshold} keys have to have signed, of {counted(len(keys), 'key')}"
        raise InputError(Code.SYS_KEY, f"The trusted keys cannot be used: {why}.")
    return Trust(keys, threshold, ", ".join(map(str, folders)))


def _twins(keys: Mapping[str, SSlibKey]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for name, key in keys.items():
        first = seen.setdefault(key.keyid, name)
        if first != name:
            yield f"{first} and {name} are the same key"


def _fits(key: SSlibKey, signed: Signed, signed_bytes: bytes) -> bool:
    try:
        key.verify_signature(as_signature(signed), signed_bytes)
    except UnverifiedSignatureError:
        return False
    return True
