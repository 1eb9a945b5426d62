"""Signatures over entries of the decision log: DSSE envelopes of an in-toto statement, signed with Ed25519.

An envelope stands beside what it signs and is under no digest: a lock's beside the lock file, `<lock>.dsse.json`, that
of another decision beside the log, `decision_log.<id>.dsse.json`. Its statement names the sha256 of profile, lock file,
certificates and of the entry itself, whose digest carries the whole log before it.

`cryptography` and `securesystemslib` (extra `sign`) are imported where they are used; nothing passes without them.
"""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl import digests, strict_files
from ctl.errors import CtlError, DataError, UsageError
from ctl.model.findings import Reason
from ctl.store.decision_log import DecisionEntry, locking
from ctl.store.files import json_bytes
from ctl.store.workspace import Workspace

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner, Key, SSlibKey

SIGNATURE_MISSING: Final = "SIGNATURE_MISSING"
SIGNATURE_INVALID: Final = "SIGNATURE_INVALID"
EXTRA_MISSING: Final = "EXTRA_MISSING"
CODES: Final = frozenset({SIGNATURE_MISSING, SIGNATURE_INVALID, EXTRA_MISSING})
PASSPHRASE: Final = "CTL_SIGN_PASSPHRASE"  # noqa: S105 - the name of a variable, no password
"""The environment variable with the passphrase of a private key that has one."""

_PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "urn:ctl-cutover:decision:v1"
_SIGN_AGAIN: Final = "sign it: ctl lock --sign KEY --reason TEXT"
_A_KEY: Final = "an Ed25519 public key: PEM (BEGIN PUBLIC KEY), ssh-ed25519, or base64 of its 32 bytes"
_RAW_BYTES: Final = 32


def require_library() -> None:
    """Raises DataError (EXTRA_MISSING) where signatures can be neither made nor checked."""
    if any(importlib.util.find_spec(name) is None for name in ("cryptography", "securesystemslib")):
        raise DataError(
            "signatures can be neither made nor checked", remedy="pip install 'ctl-cutover[sign]'", code=EXTRA_MISSING
        )


# ---------------------------------------------------------------- what is signed, and where it stands


def envelope_path(workspace: Workspace, entry: DecisionEntry) -> Path:
    """Where the envelope of an entry stands: a lock's beside the lock file, another's beside the log."""
    if entry.lock is not None:
        return (workspace.root / entry.lock.path).with_suffix(".dsse.json")
    return workspace.decision_log.with_name(f"{workspace.decision_log.stem}.{entry.id}.dsse.json")


def statement(workspace: Workspace, entries: Sequence[DecisionEntry]) -> dict[str, Any]:
    """The in-toto statement of the last of at least one entry: profile, lock file, certificates and log head."""
    entry, locked = entries[-1], locking(entries)
    subjects: list[tuple[str, str]] = []
    if entry.profiles:
        subjects.append((entry.profiles[-1].path, entry.profiles[-1].digest))
    if locked is not None and locked.lock is not None:
        folder = Path(locked.profiles[-1].path).stem
        subjects.append((locked.lock.path, locked.lock.digest))
        subjects += [(f"{folder}/{symbol}_certificate.json", sha) for symbol, sha in sorted(entry.certificates.items())]
    subjects.append((f"{workspace.relative(workspace.decision_log)}#{entry.id}", entry.sha256))
    return {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha}} for name, sha in subjects],
        "predicateType": _PREDICATE,
        "predicate": {
            "entry": entry.id,
            "date": None if entry.date is None else entry.date.isoformat(),
            "decision": entry.decision,
            "log_head": entry.sha256,
        },
    }


# ---------------------------------------------------------------- keys and signing


def public_key(data: bytes, where: str, refuse: type[CtlError]) -> SSlibKey:
    """An Ed25519 public key, in any of the usual forms. Raises `refuse` (SIGNATURE_INVALID), DataError without the
    extra.
    """
    require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from securesystemslib.signer import SSlibKey

    text, key, found = data.strip(), None, "no public key"
    try:
        if text.startswith(b"-----BEGIN"):
            found = strict_files.printable(text.splitlines()[0].decode("ascii", "replace").strip("-"))
            key = serialization.load_pem_public_key(text)
        elif text.startswith(b"ssh-"):
            key = serialization.load_ssh_public_key(text)
        else:
            raw = base64.b64decode(text, validate=True)
            own = len(raw) == _RAW_BYTES
            key = Ed25519PublicKey.from_public_bytes(raw) if own else serialization.load_der_public_key(raw)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass  # said below: it is no key of the kind
    if isinstance(key, Ed25519PublicKey):
        return SSlibKey.from_crypto(key)
    raise refuse(
        "is no key that a signature can be checked with", where=where,
        found=found if key is None else type(key).__name__.strip("_"), expected=_A_KEY, code=SIGNATURE_INVALID,
    )  # fmt: skip


def signing_key(path: Path, passphrase: str | None) -> CryptoSigner:
    """The signer of a private key's file: Ed25519, PKCS8 in PEM or OpenSSH's own. Raises UsageError, DataError."""
    require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from securesystemslib.signer import CryptoSigner

    try:
        data = strict_files.read_bytes(path)
        ssh = b"OPENSSH PRIVATE KEY" in data
        load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
        key = load(data, passphrase.encode() if passphrase else None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        said = error.strerror if isinstance(error, OSError) else strict_files.printable(str(error))[:100]
        raise UsageError(
            f"--sign {path}: no private key can be read", found=said or type(error).__name__, expected=_PRIVATE
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"--sign {path}: another kind of key", found=type(key).__name__.strip("_"), expected=_PRIVATE)
    return CryptoSigner(key)


_PRIVATE: Final = (
    f"an Ed25519 key of `openssl genpkey -algorithm ed25519` or `ssh-keygen`; its passphrase in {PASSPHRASE}"
)


def signed(payload: Mapping[str, Any], signers: Sequence[CryptoSigner]) -> bytes:
    """The bytes of the envelope of a statement, signed by every signer."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(digests.canonical_json(payload), _PAYLOAD_TYPE, {})
    for signer in signers:
        envelope.sign(signer)
    return json_bytes(envelope.to_dict())


# ---------------------------------------------------------------- checking


@dataclass(frozen=True, slots=True)
class Checked:
    """The envelope of an entry as it was checked. key_ids: of its signatures. by: names of the keys that signed it.

    strangers: it is of this entry, and nobody who is asked about signed it.
    """

    entry: str
    path: str
    key_ids: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    strangers: bool = False
    problem: Reason | None = None


def check(workspace: Workspace, entries: Sequence[DecisionEntry], keys: Mapping[str, SSlibKey]) -> Checked:
    """Whether the envelope of the last of the entries is of just that entry, and which of the keys signed it.

    Without a signature of one of the keys, or with a false one of theirs, that is a problem. Raises DataError
    (EXTRA_MISSING).
    """
    require_library()
    entry, path = entries[-1], envelope_path(workspace, entries[-1])
    name = workspace.relative(path)

    def refused(code: str, text: str, ids: tuple[str, ...] = (), *, strangers: bool = False) -> Checked:
        reason = Reason(code, "ERROR", f"{name} {text}; {_SIGN_AGAIN}")
        return Checked(entry.id, name, ids, strangers=strangers, problem=reason)

    try:
        envelope = _envelope(strict_files.read_bytes(path))
    except FileNotFoundError:
        return refused(SIGNATURE_MISSING, f"is not there; {_expected(keys)}")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        return refused(SIGNATURE_INVALID, f"is no DSSE envelope ({_short(said, 80)})")
    ids = tuple(envelope.signatures)
    if not ids:
        return refused(SIGNATURE_MISSING, f"holds no signature; {_expected(keys)}")
    shown = ", ".join(_short(key_id) for key_id in ids)
    differs = _difference(envelope, statement(workspace, entries))
    if differs:
        return refused(SIGNATURE_INVALID, f"(key {shown}) {differs}", ids)
    by = tuple(label for label, key in keys.items() if _verifies(envelope, key))
    false = [label for label, key in keys.items() if key.keyid in ids and label not in by]
    if false:
        text = f"holds a signature of {false[0]} (key {_short(keys[false[0]].keyid)}) that is not of this content"
        return refused(SIGNATURE_INVALID, text, ids)
    if not by:
        return refused(SIGNATURE_INVALID, f"is signed by key {shown}; {_expected(keys)}", ids, strangers=True)
    return Checked(entry.id, name, ids, by)


def _envelope(data: bytes) -> Envelope:
    from securesystemslib.dsse import Envelope

    found = json.loads(data)
    if not isinstance(found, dict) or set(found) != {"payload", "payloadType", "signatures"}:
        raise ValueError("expected payload, payloadType and signatures")
    for text in (found["payload"], *(each["sig"] for each in found["signatures"])):
        base64.b64decode(text, validate=True)
    return Envelope.from_dict(found)


def _verifies(envelope: Envelope, key: Key) -> bool:
    from securesystemslib.exceptions import VerificationError

    try:
        return bool(envelope.verify([key], 1))
    except VerificationError:
        return False


def _difference(envelope: Envelope, expected: Mapping[str, Any]) -> str:
    """What an envelope says otherwise than it should; empty where nothing."""
    if envelope.payload_type != _PAYLOAD_TYPE:
        return f"is of type {_short(envelope.payload_type, 40)}; expected {_PAYLOAD_TYPE}"
    try:
        found = json.loads(envelope.payload)
        named = {str(each["name"]): str(each["digest"]["sha256"]) for each in found["subject"]}
    except (ValueError, LookupError, TypeError, RecursionError):
        return "signs no in-toto statement"
    for subject in expected["subject"]:
        name, now = subject["name"], subject["digest"]["sha256"]
        if name not in named:
            return f"signs {', '.join(_short(each, 60) for each in named)[:200]}, not {name}"
        if named[name] != now:
            return f"signs {name} with sha256 {_short(named[name])}; the log holds {_short(now)}"
    return "" if found == expected else "signs another statement than this entry's"


def _expected(keys: Mapping[str, SSlibKey]) -> str:
    return "expected one of " + ", ".join(f"{name} (key {_short(key.keyid)})" for name, key in keys.items())


def _short(text: object, most: int = 12) -> str:
    return strict_files.printable(str(text)[:most])
