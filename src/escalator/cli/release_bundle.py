"""Commands for release bundles that need no server: keys, build, sign, verify."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.cli.base import Shower, Shown, fields
from escalator.cli.failures import UsageError
from escalator.model.codes import Code
from escalator.model.errors import ConditionsError, InputError

if TYPE_CHECKING:
    from escalator.system_support.releases.bundle import Opened
    from escalator.system_support.releases.trust import Trust

SHOWN_KEYID = 12
_NO_KEYS = "no trusted keys were given"
_WHAT_TO_DO = (
    "What to do: escalator release verify {file} --trust DIR, the folder of the public keys that count; or --form-only, where"
    " only its form matters"
)


class GenerateKey(Shower):
    """Make a key that signs releases: FILE holds the private key, and beside it FILE's name ending in .pub the public one.

    The private key is readable by its owner alone; it never belongs on the server.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("file", type=Path, metavar="FILE", help="file of the private key, such as alice.key")
        _add_passphrase(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Make it."""
        from escalator.system_support.releases.keypair import make_key_pair  # noqa: PLC0415 - slow to import

        file = parsed_args.file
        public, key = make_key_pair(file, _passphrase(parsed_args, self.environment))
        return fields({"private": str(file), "public": str(public), "keyid": key.keyid})


class Build(Shower):
    """Make a bundle of a release's folder, without signatures.

    The folder is checked as `release import` checks it; lengths and hashes of the files are written into the document. An
    unsigned bundle is replaced; what carries signatures, or is no bundle, with --force only.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("folder", type=Path, metavar="DIR", help="folder with release.yaml (or .json) and the files")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the bundle, such as agent-2.0.0.escrel")
        parser.add_argument("--force", action="store_true", help="replace FILE although it is signed: its signatures are lost")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Build."""
        from escalator.system_support.releases.bundle_file import build_bundle, require_replaceable  # noqa: PLC0415 - slow to import
        from escalator.system_support.releases.folder import digest  # noqa: PLC0415 - as above

        if not parsed_args.force:
            require_replaceable(parsed_args.out)
        release = build_bundle(parsed_args.folder, parsed_args.out)
        self.app.stderr.write(f"It is unsigned. Next: escalator release sign {shlex.quote(str(parsed_args.out))} --key KEYFILE\n")
        return fields({"id": release.id, "digest": digest(release), "files": len(release.spec.files)})


class Sign(Shower):
    """Add a signature to a bundle. All of the bundle is verified on the way; one that is not whole is not signed."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("file", type=Path, metavar="FILE", help="the bundle; it is replaced when all went well")
        parser.add_argument("--key", type=Path, required=True, metavar="KEYFILE", help="private key (Ed25519, PEM)")
        _add_passphrase(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Sign."""
        from escalator.system_support.releases.bundle_signing import sign_bundle  # noqa: PLC0415 - slow to import
        from escalator.system_support.releases.keypair import load_signer  # noqa: PLC0415 - as above

        signer = load_signer(parsed_args.key, _passphrase(parsed_args, self.environment))
        signed = _told(sign_bundle(parsed_args.file, signer))
        self.app.stderr.write(f"Next: escalator release import {shlex.quote(str(parsed_args.file))}\n")
        return fields(signed)


class VerifyBundle(Shower):
    """Verify a bundle without a server: its form, every file, and the signatures by the keys in the folders of --trust.

    Without --trust, the keys of releases.trust in the environment's settings count. Exit code 0 when all is right, 2 when
    the bundle is damaged, 3 when too few trusted keys have signed it, it has expired, or there are no keys: nothing is said
    then about who signed. With --form-only that is not asked, and 0 says no more than that the bundle is whole.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("file", type=Path, metavar="FILE", help="the bundle")
        parser.add_argument(
            "--trust", type=Path, action="append", default=[], metavar="DIR", help="folder of public keys (*.pub, *.pem)"
        )
        parser.add_argument("--threshold", type=int, metavar="N", help="how many of the keys have to have signed (default: 1)")
        text = "look at its form, files and expiry alone, not at who signed"
        parser.add_argument("--form-only", action="store_true", help=text)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ANN401 - cliff's
        """Verify."""
        from escalator.system_support.releases.bundle_file import read_bundle  # noqa: PLC0415 - slow to import

        trust = self._trust(parsed_args)
        names: list[str] = []

        def judge(opened: Opened) -> None:
            _require_current(opened)
            if trust is not None:
                names.extend(trust.require(opened.envelope))

        opened = read_bundle(parsed_args.file, judge)
        unverified = "not verified: it was not asked for" if parsed_args.form_only else f"not verified: {_NO_KEYS}"
        if trust is None and not parsed_args.form_only:
            self.exit_code = ConditionsError.exit_code
            self.app.stderr.write(f"{Code.SYS_SIGNATURES.value}: Who signed it was not verified: {_NO_KEYS}.\n")
            self.app.stderr.write(f"{_WHAT_TO_DO.format(file=shlex.quote(str(parsed_args.file)))}\n")
        signed_by = Shown(names, ", ".join(names) if trust is not None else unverified)
        return fields(_told(opened) | {"signed_by": signed_by, "verified": trust is not None})

    def _trust(self, parsed_args: argparse.Namespace) -> Trust | None:
        from escalator.settings import read_settings  # noqa: PLC0415 - slow to import
        from escalator.system_support.releases.trust import trust_of, trust_of_folders  # noqa: PLC0415 - as above

        if parsed_args.form_only:
            if parsed_args.trust or parsed_args.threshold is not None:
                raise UsageError("--form-only looks at no keys: it goes without --trust and --threshold.")
            return None
        if parsed_args.threshold is not None and (parsed_args.threshold < 1 or not parsed_args.trust):
            raise UsageError("--threshold is a number from 1 on, and needs --trust.")
        if parsed_args.trust:
            return trust_of_folders(parsed_args.trust, parsed_args.threshold or 1)
        return trust_of(read_settings(None, self.environment).releases.trust)


def _require_current(opened: Opened) -> None:
    import time  # noqa: PLC0415 - the one place of the command line that asks for the time

    expires_at = opened.release.expires_at
    if expires_at is not None and expires_at <= time.time():
        raise ConditionsError(Code.SYS_EXPIRED, f"{opened.release.id} expired at {opened.release.spec.expires}.")


def _told(opened: Opened) -> dict[str, Any]:
    from escalator.system_support.releases.folder import digest  # noqa: PLC0415 - slow to import

    release, keys = opened.release, [signed.keyid for signed in opened.envelope.signatures]
    return {
        "id": release.id,
        "digest": digest(release),
        "files": len(release.spec.files),
        "expires": release.spec.expires,
        "signatures": Shown(keys, ", ".join(key[:SHOWN_KEYID] for key in keys) or "none: it is unsigned"),
    }


def _add_passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-env", metavar="NAME", help="variable that holds the private key's passphrase (default: it has none)"
    )


def _passphrase(parsed_args: argparse.Namespace, environment: Any) -> bytes | None:  # noqa: ANN401 - a mapping
    name = parsed_args.passphrase_env
    if name is None:
        return None
    if not environment.get(name):
        raise InputError(Code.SYS_KEY, f"The variable {name} holds no passphrase.")
    return str(environment[name]).encode()
