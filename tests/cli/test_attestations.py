"""Evidence that goes anywhere: exported at the hub's machine, checked in another folder, where there is no hub."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from click.testing import Result

from kernelnet.artifacts import PerformanceReport, Verdict
from kernelnet.cli import attestations
from kernelnet.generators import Candidate
from kernelnet.hub.auth import tokens
from kernelnet.hub.storage.statements.certificates import StoredCertificate
from kernelnet.identity.signing import LIFETIME
from kernelnet.learning.submission import makeComponent, submit
from kernelnet.workbench.file_system import FileSystemWorkbench
from tests.cli.support import CliTestCase
from tests.cli.test_components import STUBBORN
from tests.hub.support import HubTestCase
from tests.signers import Authority, Signer, verdictOn
from tests.workbench.support import loop, writeTrace


class VerifyTests(CliTestCase, HubTestCase):
    """
    A component of AI_1, which AI_2 and AI_3 have confirmed and signed; AI_4's verdict is from before.

    @ivar file: the export; C{ca}: the hub's CA; both in a folder C{elsewhere}, where nothing else is.
    """

    def setUp(self) -> None:
        CliTestCase.setUp(self)
        HubTestCase.setUp(self)
        self.now = datetime.now(UTC)
        self.trace = writeTrace(self.folder / "loop.txt", loop(6000))
        scenario = FileSystemWorkbench().scenario(self.trace, {"capacity": 32})
        measured = submit(scenario, STUBBORN, trusted=True)
        self.component = makeComponent(scenario, Candidate(STUBBORN), measured, generator="test", seed=7)
        self.authority = Authority(self.path, self.now)
        self.path.chmod(0o700)
        self.hub.connect("AI_1").send("os_component_share", {"component": msgspec.to_builtins(self.component)})
        for aiId in ("AI_2", "AI_3"):
            self.report(aiId, Signer(self.folder / "keys", aiId).enrol(self.authority, now=self.now))
        self.report("AI_4", None)
        self.elsewhere = self.folder / "elsewhere"
        self.elsewhere.mkdir()
        self.file = self.elsewhere / "found.json"
        self.ca = self.elsewhere / "ca.pem"
        shutil.copy(self.path / "ca.pem", self.ca)
        said = self.export(self.file)
        self.assertIn("2 signed verdicts", said)

    def report(self, aiId: str, signer: Signer | None, verdict: Verdict = Verdict.CONFIRMED) -> None:
        report = verdictOn(self.component, verdict)
        if signer is not None:
            report.attestation = signer.sign(self.component, verdict, self.now)
            assert signer.key.certificate is not None
            end = self.now.timestamp() + 1e9
            stored = StoredCertificate(signer.serial, aiId, self.hub.now(), end, None)
            self.hub.transact(lambda transaction: transaction.certificates.insert(stored))
        client = self.hub.connect(aiId)
        client.send("performance_report", msgspec.to_builtins(report))
        self.assertEqual(client.errors(), [])

    def export(self, out: Path) -> str:
        return self.succeed("components", "export", self.component.id, "--attest", "--out", out, "--state", self.path)

    def verify(self, *arguments: str | Path, code: int = 0, file: Path | None = None) -> str:
        result: Result = self.call("verify", file or self.file, *arguments)
        self.assertEqual(result.exit_code, code, result.output)
        return result.stdout

    def findings(self, *arguments: str | Path, code: int = 1, file: Path | None = None) -> dict[str, str]:
        told = json.loads(self.verify("--json", *arguments, code=code, file=file))
        return {one["signer"]: one["finding"] for one in told["verdicts"]}

    def changed(self, change: Callable[[dict[str, Any]], object]) -> Path:
        told = json.loads(self.file.read_text())
        change(told)
        return self.write("changed.json", json.dumps(told))

    def test_verified(self) -> None:
        """Two verdicts count, the one from before is named as unsigned; no hub and no state directory is needed."""
        self.hub.stop()
        shutil.rmtree(self.path)
        said = self.verify("--ca", self.ca)
        self.assertIn("confirmed by AI_2, AI_3; refuted by nobody", said)
        self.assertRegex(said, "AI_4 .*unsigned")
        self.assertIn("none of those that count was revoked by", said)
        told = json.loads(self.verify("--ca", self.ca, "--json"))
        self.assertEqual((told["confirmed"], told["refuted"], told["unsigned"]), (["AI_2", "AI_3"], [], ["AI_4"]))

    def test_measured(self) -> None:
        """Who trusts nobody measures again: what was claimed is what is found."""
        said = self.verify("--measure", "--trace", self.trace, code=1)
        self.assertIn("measured here: confirmed: all splits are as claimed", said)
        self.assertIn("confirmed by nobody whose word counts", said)
        self.verify("--ca", self.ca, "--measure", "--trace", self.trace)
        other = writeTrace(self.folder / "other.txt", loop(6001))
        said = self.verify("--ca", self.ca, "--measure", "--trace", other, code=1)
        self.assertIn("measured here: unmeasurable", said)

    def test_untrusted(self) -> None:
        """Without a CA, or with another hub's, nothing counts."""
        self.assertEqual(self.findings(), {"AI_2": "untrusted", "AI_3": "untrusted"})
        Authority(self.folder / "foreign", self.now)
        said = self.verify("--ca", self.folder / "foreign" / "ca.pem", code=1)
        self.assertIn("AI_2: untrusted: its certificate comes from another CA", said)

    def test_altered(self) -> None:
        """A byte of a statement that was changed."""

        def change(told: dict[str, Any]) -> None:
            payload = base64.b64decode(told["attestations"][0]["payload"]).replace(b'"score":50', b'"score":49')
            told["attestations"][0]["payload"] = base64.b64encode(payload).decode()

        found = self.findings("--ca", self.ca, code=0, file=self.changed(change))
        self.assertEqual(sorted(found.values()), ["altered", "valid"])

    def test_otherComponent(self) -> None:
        """A component that was changed has no verdicts; nor does one have those of another."""

        def change(told: dict[str, Any]) -> None:
            told["component"]["development_level"] = 0.9999

        found = self.findings("--ca", self.ca, file=self.changed(change))
        self.assertEqual(set(found.values()), {"other component"})

    def test_revoked(self) -> None:
        """Whose tokens were revoked is named, in a new export, and in an old one with a newer list."""
        self.hub.transact(lambda transaction: tokens.revoke(transaction, "AI_2"))
        expected = {"AI_2": "revoked", "AI_3": "valid"}
        lists = self.elsewhere / "revoked.pem"
        self.succeed("certs", "revoked", "--out", lists, "--state", self.path)
        self.assertEqual(self.findings("--ca", self.ca, code=0), dict.fromkeys(expected, "valid"))
        self.assertEqual(self.findings("--ca", self.ca, "--crl", lists, code=0), expected)
        newer = self.elsewhere / "newer.json"
        self.export(newer)
        self.assertEqual(self.findings("--ca", self.ca, code=0, file=newer), expected)

    def test_expired(self) -> None:
        """Verdicts count as long as their certificates are good."""
        later = self.now + LIFETIME + timedelta(days=1)

        class Later(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return later

        self.patch(attestations, "datetime", Later)
        self.assertEqual(self.findings("--ca", self.ca), {"AI_2": "expired", "AI_3": "expired"})

    def test_refuted(self) -> None:
        """One who refutes it, and whose word counts, is enough for a doubt; the exit code says so."""
        signer = Signer(self.folder / "keys", "AI_5").enrol(self.authority, "bob", self.now)
        self.report("AI_5", signer, Verdict.REFUTED)
        out = self.elsewhere / "doubted.json"
        self.export(out)
        self.assertIn("refuted by bob", self.verify("--ca", self.ca, code=1, file=out))

    def test_mistakes(self) -> None:
        """What is no export, no CA and no list is named, in one line."""
        self.refused(1, "not what kernelnet components export --attest writes", "verify", self.write("x", "{}"))
        self.refused(1, "not what kernelnet components export --attest writes", "verify", self.write("x", b"\xff"))
        newer = self.changed(lambda told: told.update(format="kernelnet-attested-component-2"))
        self.refused(1, "this kernelnet reads kernelnet-attested-component-1", "verify", newer)
        self.refused(1, "must hold a certificate", "verify", self.file, "--ca", self.file)
        self.refused(1, "no list of revoked certificates", "verify", self.file, "--ca", self.ca, "--crl", self.ca)
        self.refused(2, "--trace goes with --measure", "verify", self.file, "--trace", self.trace)
        self.refused(2, "--attest writes one file", "components", "export", "x", "--attest", "--state", self.path)
        self.refused(
            1,
            "is there already",
            "components",
            "export",
            self.component.id,
            "--attest",
            "--out",
            self.file,
            "--state",
            self.path,
        )
        huge = self.write("huge.json", b" " * (attestations.MAX_FILE + 1))
        self.refused(1, "more than 16 MiB", "verify", huge)

    def test_withoutKey(self) -> None:
        """Where the CA's key is kept elsewhere the export has no list, and says so."""
        (self.path / "ca.key").unlink()
        out = self.elsewhere / "bare.json"
        where = ("--state", self.path)
        result = self.call("components", "export", self.component.id, "--attest", "--out", out, *where)
        self.assertEqual(result.exit_code, 0)
        self.assertIn("without a list of revoked certificates", result.stderr)
        self.assertIn("whether a certificate was revoked is not known", self.verify("--ca", self.ca, file=out))

    def test_shown(self) -> None:
        """Lists and pages leave signatures out: few want them, and they are long."""
        told = self.hub.stored.reports.onDigest(self.component.digest, 9, 1 << 20)
        signed = [msgspec.json.decode(one.body, type=PerformanceReport).attestation is not None for one in told]
        self.assertEqual(signed, [False, True, True])
        shown = self.succeed("components", "show", self.component.id, "--state", self.path, "--json")
        self.assertNotIn("attestation", shown)
