"""Who has to sign a profile's lock, whether they did, and the envelopes that a lock or a decision writes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctl import digests, operating_profile, store, strict_files
from ctl.errors import CtlError, GateRefused, ProfileError
from ctl.model.findings import Reason, counted
from ctl.store import anchors, decision_log, signatures
from ctl.store.decision_log import Problem

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

    from ctl.operating_profile import OperatingProfile
    from ctl.store import Workspace
    from ctl.store.decision_log import DecisionEntry

_KEY_BYTES: Final = (32, 44)
"""An Ed25519 key in base64 is its 32 bytes alone, or those after 12 that say what they are (DER)."""


def key_bytes(workspace: Workspace, key: str) -> bytes:
    """What `signers` of a profile says of a key: itself, or the content of the file of the workspace that it names.

    Raises ProfileError (SIGNATURE_INVALID) where there is no such file.
    """
    try:
        if len(base64.b64decode(key, validate=True)) in _KEY_BYTES:
            return key.encode()
    except (binascii.Error, ValueError):
        pass
    path = Path(key)
    try:
        if path.is_absolute() or ".." in path.parts:
            raise OSError(0, "a path that leads out of the workspace")
        return strict_files.read_bytes(workspace.root / path)
    except OSError as error:
        raise ProfileError(
            "is no public key in base64, and no file of the workspace that holds one", where=key,
            found=error.strerror or type(error).__name__, code=signatures.SIGNATURE_INVALID,
        ) from error  # fmt: skip


def signers_of(workspace: Workspace, profile: OperatingProfile) -> dict[str, SSlibKey]:
    """The public keys of a profile's signers by name. Raises ProfileError (SIGNATURE_INVALID), DataError."""
    return {
        name: signatures.public_key(key_bytes(workspace, key), f"{profile.name}: signers.{name}", ProfileError)
        for name, key in profile.signers.items()
    }


def contents(workspace: Workspace, profile: OperatingProfile) -> dict[str, str]:
    """sha256 of each signer's key, which the lock holds: a file may not be swapped under the name that is trusted."""
    found: dict[str, str] = {}
    for name, key in profile.signers.items():
        try:
            found[name] = digests.sha256_bytes(key_bytes(workspace, key))
        except CtlError as error:
            found[name] = str(error)
    return found


# ---------------------------------------------------------------- the gate


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a profile's lock validly, of those who had to; and why that is not enough."""

    by: tuple[str, ...] = ()
    problems: tuple[Reason, ...] = ()


def of_lock(workspace: Workspace, profile: OperatingProfile, entries: Sequence[DecisionEntry]) -> Signed:
    """Whether a listed signer signed the newest lock of a profile; of one without signers nothing is asked.

    A version that changes or drops the signers of the one before it is signed by one of those too.
    """
    entry = decision_log.locking(entries, profile.name)
    if entry is None:
        return Signed()
    up_to = entries[: entries.index(entry) + 1]
    by: dict[str, None] = {}
    problems: dict[Reason, None] = {}
    for each in (profile, *_before(workspace, entry)):
        if each.signers:
            try:
                checked = signatures.check(workspace, up_to, signers_of(workspace, each))
            except CtlError as error:
                problems[Reason(error.code, "ERROR", str(error))] = None
                continue
            by |= dict.fromkeys(checked.by)
            problems |= {} if checked.problem is None else {checked.problem: None}
    return Signed(tuple(by), tuple(problems))


def _before(workspace: Workspace, entry: DecisionEntry) -> list[OperatingProfile]:
    """The profile that a lock's entry takes out of force, where it is still there as it was cited."""
    for cited in entry.profiles[:-1]:
        data = decision_log.bytes_if_any(workspace.root / cited.path)
        if data is None or not (b"signers" in data or b"\\" in data):  # in YAML a backslash may spell any key
            continue
        if digests.sha256_bytes(data) == cited.digest:
            try:
                return [operating_profile.load(data, cited.path)]
            except ProfileError:
                return []  # of another version of this package: nothing of it can be asked
    return []


# ---------------------------------------------------------------- signing


def require_signers(workspace: Workspace, profiles: Sequence[OperatingProfile], given: Sequence[CryptoSigner]) -> None:
    """Raises GateRefused where the signers that a lock needs did not all sign: one of each profile that names some."""
    ids = {signer.public_key.keyid for signer in given}
    for profile in profiles:
        listed = signers_of(workspace, profile)
        if listed and not ids & {key.keyid for key in listed.values()}:
            wanted = ", ".join(f"{name} (key {key.keyid[:12]})" for name, key in listed.items())
            raise GateRefused(
                f"nothing was locked, because {profile.name} names signers and none of them signed",
                found=f"key {', '.join(sorted(key_id[:12] for key_id in ids))}" if ids else "no --sign",
                expected=f"--sign KEY of one of {wanted}",
                code=signatures.SIGNATURE_INVALID if ids else signatures.SIGNATURE_MISSING,
            )


def write(workspace: Workspace, entries: Sequence[DecisionEntry], given: Sequence[CryptoSigner]) -> dict[Path, bytes]:
    """Write the envelope of the last of the entries; unsigned, one that a killed command left there is removed."""
    path = signatures.envelope_path(workspace, entries[-1])
    if not given:
        store.remove(path)
        return {}
    data = signatures.signed(signatures.statement(workspace, entries), given)
    store.write_atomic(path, data)
    return {path: data}


# ---------------------------------------------------------------- verifying


def verify(workspace: Workspace, keys: Mapping[str, SSlibKey]) -> anchors.Verification:
    """Log, cited files and every envelope that is there. keys: public keys from outside the workspace, by name; the
    lock in force has to be signed by one of them. Without any the profile's own signers count.

    Raises WorkspaceError where a file cannot be read.
    """
    found = anchors.verify(workspace)
    entries, broken, _ = decision_log.examined(workspace)
    in_force = decision_log.locking(entries)
    if broken or in_force is None:
        return found
    listed, rows = dict(keys), []
    problems: list[Reason] = []
    notes: list[str] = []
    if not keys:
        data = decision_log.bytes_if_any(workspace.root / in_force.profiles[-1].path)
        try:
            profile = operating_profile.load(data or b"", in_force.profiles[-1].path)
            problems += of_lock(workspace, profile, entries).problems
            listed = signers_of(workspace, profile)
        except CtlError as error:
            problems += [] if data is None else [Reason(error.code, "ERROR", str(error))]
    for number, entry in enumerate(entries, 1):
        path = signatures.envelope_path(workspace, entry)
        required = bool(keys) and entry is in_force
        if not (path.exists() or required):
            continue
        try:
            checked = signatures.check(workspace, entries[:number], listed)
        except CtlError as error:
            problems.append(Reason(error.code, "ERROR", str(error)))
            break
        rows.append(checked)
        if checked.problem is not None and checked.strangers and not required:
            notes.append(f"{checked.path}: signed by {counted(len(checked.key_ids), 'key')} that is not asked about")
        elif checked.problem is not None:
            problems.append(checked.problem)
    added = dict.fromkeys(Problem(each.code, None, each.text) for each in problems)
    return replace(
        found,
        verified=found.verified and not added,
        problems=(*found.problems, *added),
        notes=(*found.notes, *notes),
        signatures=tuple(rows),
    )
