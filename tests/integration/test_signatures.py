"""Signed locks and decisions: what a signer's envelope holds, and that nothing passes without a valid one."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

V2 = "configs/cutover/operating_profile_v2.yaml"
L2 = "configs/cutover/operating_profile_v2.lock.json"
ENVELOPE = "configs/cutover/operating_profile_v2.lock.dsse.json"
LOG = "docs/governance/decision_log.jsonl"


class Keys:
    """A key pair in files outside of the workspace."""

    def __init__(self, folder: Path, name: str, key: Any = None) -> None:
        self.key = key or Ed25519PrivateKey.generate()
        self.private, self.public = folder / f"{name}.key", folder / f"{name}.pem"
        none = serialization.NoEncryption()
        pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        self.private.write_bytes(self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
        self.public.write_bytes(self.key.public_key().public_bytes(pem, spki))

    @property
    def raw(self) -> str:
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()

    def signs(self, payload: bytes, kind: str = "application/vnd.in-toto+json") -> str:
        """A signature by the letter of the DSSE protocol (pre-authentication encoding), not by the code under test."""
        text = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
        return base64.b64encode(self.key.sign(text)).decode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Keys, Keys]:
    folder = tmp_path_factory.mktemp("keys")
    return Keys(folder, "desk"), Keys(folder, "other")


@pytest.fixture(scope="module")
def signed_once(filled_workspace: Path, keys: tuple[Keys, Keys], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose version 2 names a signer and is signed by it."""
    from ctl.cli import main

    folder = tmp_path_factory.mktemp("signed") / "workspace"
    shutil.copytree(filled_workspace, folder)
    named = f"signers.desk={keys[0].raw}"
    line = ["lock", "-w", str(folder), "--set", named, "--reason", "signed from now on"]
    assert main([*line, "--sign", str(keys[0].private)]) == 0
    return folder


@pytest.fixture
def signed(signed_once: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    shutil.copytree(signed_once, folder)
    return folder


def codes(document: Any) -> set[str]:
    return {problem["code"] for problem in document["problems"]}


def edited(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_signed_lock_passes_and_says_who_signed(signed: Path, keys: tuple[Keys, Keys], ctl: Any) -> None:
    document = ctl("gate", "-w", signed, "--json").document
    assert (document["passed"], document["signed_by"]) == (True, ["desk"])
    assert "signed by desk; all locks hold" in ctl("gate", "-w", signed).out
    found = ctl("verify", "-w", signed, "--key", keys[0].public, "--json")
    assert (found.code, found.document["verified"]) == (0, True)
    assert [(row["entry"], row["by"]) for row in found.document["signatures"]] == [
        (json.loads((signed / LOG).read_bytes().splitlines()[-1])["id"], [str(keys[0].public)])
    ]
    assert ctl("verify", "-w", signed).code == 0
    assert ctl("run", "-w", signed).code == 0


def test_log_summary_report_and_message_say_who_signed(signed: Path, ctl: Any) -> None:
    cycle = ctl("ops", "-w", signed, "--notify", "stdout", "--json").document
    head = cycle["digests"]["log_head"][:8]
    assert (cycle["signed_by"], cycle["gate_passed"]) == (["desk"], True)
    assert f"\ndecision log {head}, signed by desk\n" in cycle["notification"]["text"]
    assert json.loads((signed / cycle["summary_path"]).read_text())["gate_result"]["signed_by"] == ["desk"]
    assert ctl("report", "-w", signed, "--out", signed / "page.html").code == 0
    assert "<b>lock signed by</b> desk" in (signed / "page.html").read_text()


def test_the_envelope_is_an_in_toto_statement_that_other_tools_can_check(signed: Path, keys: tuple[Keys, Keys]) -> None:
    envelope = json.loads((signed / ENVELOPE).read_text())
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    payload = base64.b64decode(envelope["payload"])
    statement = json.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    (signature,) = envelope["signatures"]
    assert signature["sig"] == keys[0].signs(payload), "Ed25519 is deterministic"
    named = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    line = (signed / LOG).read_bytes().splitlines()[-1]
    entry = json.loads(line)
    folder = "data/processed/cutover_v1/locked/operating_profile_v2"
    assert named == {
        **{name: hashlib.sha256((signed / name).read_bytes()).hexdigest() for name in (V2, L2)},
        **{
            f"operating_profile_v2/{symbol}_certificate.json": hashlib.sha256(
                (signed / folder / f"{symbol}_certificate.json").read_bytes()
            ).hexdigest()
            for symbol in ("ES", "CL", "PL")
        },
        f"{LOG}#{entry['id']}": hashlib.sha256(line).hexdigest(),
    }
    assert statement["predicate"]["log_head"] == hashlib.sha256(line).hexdigest()


def altered_payload(folder: Path, _: tuple[Keys, Keys]) -> None:
    def change(document: dict[str, Any]) -> None:
        payload = json.loads(base64.b64decode(document["payload"]))
        payload["predicate"]["decision"] = "something else"
        document["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()

    edited(folder / ENVELOPE, change)


def reordered_payload(folder: Path, _: tuple[Keys, Keys]) -> None:
    """The same statement in other bytes: the content is right, and nobody signed these bytes."""

    def change(document: dict[str, Any]) -> None:
        payload = json.loads(base64.b64decode(document["payload"]))
        document["payload"] = base64.b64encode(json.dumps(payload, indent=1).encode()).decode()

    edited(folder / ENVELOPE, change)


def signed_by_another(folder: Path, keys: tuple[Keys, Keys]) -> None:
    def change(document: dict[str, Any]) -> None:
        sig = keys[1].signs(base64.b64decode(document["payload"]))
        document["signatures"] = [{"keyid": "0" * 64, "sig": sig}]

    edited(folder / ENVELOPE, change)


def signed_by_another_under_the_listed_name(folder: Path, keys: tuple[Keys, Keys]) -> None:
    edited(
        folder / ENVELOPE,
        lambda document: document["signatures"][0].update(sig=keys[1].signs(base64.b64decode(document["payload"]))),
    )


def of_another_type(folder: Path, keys: tuple[Keys, Keys]) -> None:
    def change(document: dict[str, Any]) -> None:
        document["payloadType"] = "text/plain"
        document["signatures"][0]["sig"] = keys[0].signs(base64.b64decode(document["payload"]), "text/plain")

    edited(folder / ENVELOPE, change)


def of_another_version(folder: Path, keys: tuple[Keys, Keys]) -> None:
    def change(document: dict[str, Any]) -> None:
        text = base64.b64decode(document["payload"]).replace(b"operating_profile_v2", b"operating_profile_v1")
        document["payload"] = base64.b64encode(text).decode()
        document["signatures"][0]["sig"] = keys[0].signs(text)

    edited(folder / ENVELOPE, change)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (altered_payload, "SIGNATURE_INVALID"),
        (reordered_payload, "SIGNATURE_INVALID"),
        (signed_by_another, "SIGNATURE_INVALID"),
        (signed_by_another_under_the_listed_name, "SIGNATURE_INVALID"),
        (of_another_type, "SIGNATURE_INVALID"),
        (of_another_version, "SIGNATURE_INVALID"),
        (lambda folder, _: (folder / ENVELOPE).unlink(), "SIGNATURE_MISSING"),
        (lambda folder, _: edited(folder / ENVELOPE, lambda each: each.update(signatures=[])), "SIGNATURE_MISSING"),
        (lambda folder, _: edited(folder / ENVELOPE, lambda each: each.update(payload="!!")), "SIGNATURE_INVALID"),
        (lambda folder, _: edited(folder / ENVELOPE, lambda each: each.pop("payload")), "SIGNATURE_INVALID"),
        (lambda folder, _: edited(folder / ENVELOPE, lambda each: each.update(signatures=[1])), "SIGNATURE_INVALID"),
        (lambda folder, _: edited(folder / ENVELOPE, lambda each: each.update(more=1)), "SIGNATURE_INVALID"),
        (lambda folder, _: (folder / ENVELOPE).write_bytes(b"\x00\xff"), "SIGNATURE_INVALID"),
        (lambda folder, _: (folder / ENVELOPE).write_bytes(b"[" * 100_000), "SIGNATURE_INVALID"),
        (lambda folder, _: (folder / ENVELOPE).write_bytes(b"{}"), "SIGNATURE_INVALID"),
    ],
)
def test_no_gate_or_run_passes_without_a_valid_signature(
    signed: Path, keys: tuple[Keys, Keys], ctl: Any, change: Callable[[Path, tuple[Keys, Keys]], Any], code: str
) -> None:
    change(signed, keys)
    ran = ctl("gate", "-w", signed, "--json")
    assert (ran.code, codes(ran.document), ran.document["signed_by"]) == (2, {code}, [])
    (problem,) = ran.document["problems"]
    assert "operating_profile_v2.lock.dsse.json" in problem["text"]
    assert "ctl lock --sign" in problem["text"]
    verified = ctl("verify", "-w", signed, "--key", keys[0].public, "--json")
    assert (verified.code, codes(verified.document)) == (2, {code})


def test_a_refused_run_says_so_in_ops_log_and_message(signed: Path, ctl: Any) -> None:
    (signed / ENVELOPE).unlink()
    ran = ctl("ops", "-w", signed, "--notify", "stdout")
    assert ran.code == 2
    assert "SIGNATURE_MISSING" in ran.out
    log = next((signed / "data/processed/cutover_v1/ops_logs").glob("*_ops.json")).read_text()
    assert "SIGNATURE_MISSING" in log
    assert ctl("orders", "-w", signed).code == 2


def test_a_lock_altered_after_signing_is_no_longer_signed(signed: Path, keys: tuple[Keys, Keys], ctl: Any) -> None:
    """Lock file, log and document edited together, so that they hold to one another: the signature alone says so."""
    text = (signed / L2).read_bytes()
    (signed / L2).write_bytes(text.replace(b'"equity": 1000000.0', b'"equity": 9000000.0'))
    old, new = (hashlib.sha256(each).hexdigest() for each in (text, (signed / L2).read_bytes()))
    assert old != new
    (signed / LOG).write_bytes((signed / LOG).read_bytes().replace(old.encode(), new.encode()))
    assert ctl("verify", "-w", signed, "--render").code == 2
    for command in (("gate", "-w", signed), ("verify", "-w", signed, "--key", keys[0].public)):
        assert codes(ctl(*command, "--json").document) == {"SIGNATURE_INVALID"}


def test_a_signed_relock_works_and_an_unsigned_or_foreign_one_is_refused(
    signed: Path, keys: tuple[Keys, Keys], ctl: Any
) -> None:
    desk, other = keys
    relock = ("lock", "-w", signed, "--set", "ratchet=0.9", "--reason", "less room")

    def written() -> dict[Path, bytes]:
        found = (path for path in signed.rglob("*") if path.is_file() and ".ctl" not in path.parts)
        return {path: path.read_bytes() for path in found}

    before = written()
    for given, code in (((), "SIGNATURE_MISSING"), (("--sign", other.private), "SIGNATURE_INVALID")):
        ran = ctl(*relock, *given, "--json")
        assert (ran.code, ran.document["code"]) == (2, code)
        assert "desk" in ran.document["message"]
    assert written() == before
    assert ctl(*relock, "--sign", desk.private).code == 0
    assert ctl("gate", "-w", signed, "--json").document["signed_by"] == ["desk"]
    assert ctl("verify", "-w", signed, "--key", desk.public).code == 0


def test_who_drops_or_changes_the_signers_needs_one_of_the_old(signed: Path, keys: tuple[Keys, Keys], ctl: Any) -> None:
    desk, other = keys
    change = ("lock", "-w", signed, "--set", f"signers.desk={other.raw}", "--reason", "another desk")
    assert ctl(*change, "--sign", other.private).code == 2
    assert ctl(*change, "--sign", other.private, "--sign", desk.private).code == 0
    envelope = signed / "configs/cutover/operating_profile_v3.lock.dsse.json"
    assert ctl("gate", "-w", signed).code == 0
    edited(envelope, lambda document: document["signatures"].pop())
    ran = ctl("gate", "-w", signed, "--json")
    assert (ran.code, codes(ran.document)) == (2, {"SIGNATURE_INVALID"})


def test_what_is_in_force_can_be_signed_later(signed: Path, keys: tuple[Keys, Keys], ctl: Any) -> None:
    (signed / ENVELOPE).unlink()
    plan = ctl("plan", "-w", signed)
    assert plan.code == 0
    assert "SIGNATURE_MISSING" in plan.out
    log = (signed / LOG).read_bytes()
    ran = ctl("lock", "-w", signed, "--reason", "sign", "--sign", keys[0].private, "--json")
    assert (ran.code, ran.document["files"], ran.document["entry"]["was_there"]) == (0, [ENVELOPE], True)
    assert (signed / LOG).read_bytes() == log
    assert ctl("gate", "-w", signed).code == 0


def test_a_signers_key_may_stand_in_a_file_and_not_be_swapped_there(
    workspace: Path, keys: tuple[Keys, Keys], ctl: Any
) -> None:
    desk, other = keys
    held = workspace / "keys/desk.pem"
    held.parent.mkdir()
    held.write_bytes(desk.public.read_bytes())
    line = ("lock", "-w", workspace, "--set", "signers.desk=keys/desk.pem", "--reason", "signed")
    assert ctl(*line, "--sign", desk.private).code == 0
    assert ctl("gate", "-w", workspace).code == 0
    held.write_bytes(other.public.read_bytes())
    edited(
        workspace / ENVELOPE,
        lambda document: document["signatures"].append(
            {"keyid": "1" * 64, "sig": other.signs(base64.b64decode(document["payload"]))}
        ),
    )
    document = ctl("gate", "-w", workspace, "--json").document
    assert not document["passed"]
    assert [(lock["code"], lock["changes"][0]["key"]) for lock in document["locks"] if not lock["held"]] == [
        ("WORKSPACE_CHANGED", "signers.desk")
    ]
    held.unlink()
    assert "SIGNATURE_INVALID" in codes(ctl("gate", "-w", workspace, "--json").document)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "certificate", "private", "garbage", "short"])
def test_keys_of_other_kinds_are_refused(signed: Path, keys: tuple[Keys, Keys], ctl: Any, kind: str) -> None:
    public = signed.parent / "other.pem"
    spki = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    made = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048).public_key().public_bytes(*spki),
        "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*spki),
        "certificate": lambda: b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "private": keys[0].private.read_bytes,
        "garbage": lambda: b"\x00\xff garbage",
        "short": lambda: base64.b64encode(b"short"),
    }
    public.write_bytes(made[kind]())
    ran = ctl("verify", "-w", signed, "--key", public, "--json")
    assert (ran.code, ran.document["code"]) == (64, "SIGNATURE_INVALID")
    (signed / "other.pem").write_bytes(public.read_bytes())
    line = ("lock", "-w", signed, "--set", "signers.new=other.pem", "--reason", "a key that is none")
    ran = ctl(*line, "--sign", keys[0].private, "--json")
    assert (ran.code, ran.document["code"]) == (2, "SIGNATURE_INVALID")
    assert not (signed / V2.replace("v2", "v3")).exists()


def test_private_keys_of_other_kinds_are_refused(signed: Path, keys: tuple[Keys, Keys], ctl: Any) -> None:
    line = ("lock", "-w", signed, "--reason", "sign")
    elliptic = Keys(signed.parent, "elliptic", ec.generate_private_key(ec.SECP256R1()))
    for path in (elliptic.private, keys[0].public):
        assert ctl(*line, "--sign", path).code == 64


def test_keys_of_ssh_keygen_sign_and_a_passphrase_comes_from_the_environment(
    signed: Path, keys: tuple[Keys, Keys], ctl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("lock", "-w", signed, "--reason", "sign", "--sign", signed.parent / "own.key")
    pem, openssh = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH
    line[-1].write_bytes(keys[0].key.private_bytes(pem, openssh, serialization.NoEncryption()))
    assert ctl(*line).code == 0
    locked = serialization.BestAvailableEncryption(b"word")
    line[-1].write_bytes(keys[0].key.private_bytes(pem, serialization.PrivateFormat.PKCS8, locked))
    assert ctl(*line).code == 64
    monkeypatch.setenv("CTL_SIGN_PASSPHRASE", "word")
    assert ctl(*line).code == 0
    public = signed.parent / "own.pub"
    ssh = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    public.write_bytes(keys[0].key.public_key().public_bytes(*ssh))
    assert ctl("verify", "-w", signed, "--key", public).code == 0


def test_a_decision_is_signed_beside_the_log(workspace: Path, keys: tuple[Keys, Keys], ctl: Any) -> None:
    decided = ("decide", "-w", workspace, "--decision", "PL stays", "--rationale", "reviewed")
    entry = ctl(*decided, "--sign", keys[0].private, "--json").document
    envelope = workspace / f"docs/governance/decision_log.{entry['id']}.dsse.json"
    statement = json.loads(base64.b64decode(json.loads(envelope.read_text())["payload"]))
    assert statement["predicate"]["entry"] == entry["id"]
    assert {Path(subject["name"]).name for subject in statement["subject"]} >= {
        "operating_profile_v1.yaml", "operating_profile_v1.lock.json", "ES_certificate.json",
    }  # fmt: skip
    ran = ctl("verify", "-w", workspace, "--key", keys[0].public, "--json")
    assert codes(ran.document) == {"SIGNATURE_MISSING"}, "the lock itself is not signed"
    assert [(row["entry"], row["by"]) for row in ran.document["signatures"]][-1] == (
        entry["id"], [str(keys[0].public)],
    )  # fmt: skip
    assert ctl("verify", "-w", workspace).code == 0, "no signer is named, so that nothing is demanded"
    edited(envelope, lambda document: document.update(payload=base64.b64encode(b"{}").decode()))
    assert codes(ctl("verify", "-w", workspace, "--json").document) == {"SIGNATURE_INVALID"}


def test_without_the_extra_nothing_passes(
    signed: Path, keys: tuple[Keys, Keys], ctl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "securesystemslib" else find(name))
    gate = ctl("gate", "-w", signed, "--json")
    assert (gate.code, codes(gate.document)) == (2, {"EXTRA_MISSING"})
    assert "pip install 'ctl-cutover[sign]'" in gate.document["problems"][0]["text"]
    for line in (
        ("verify", "-w", signed, "--key", keys[0].public),
        ("lock", "-w", signed, "--reason", "sign", "--sign", keys[0].private),
    ):
        ran = ctl(*line)
        assert ran.code != 0
        assert "pip install 'ctl-cutover[sign]'" in ran.err
