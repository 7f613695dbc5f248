"""The status API keeps to its OpenAPI document, whatever it is asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from unittest import SkipTest

from kernelnet.hub.admin import control_client
from tests.hub.views.test_components import claiming
from tests.system.support import SystemTestCase, steadyPort


class OpenApiTests(SystemTestCase):
    def test_schemathesis(self) -> None:
        """Requests made from the document, right and wrong, get answers that it describes."""
        schemathesis = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
        if schemathesis is None:
            raise SkipTest("needs schemathesis: pip install -e '.[test]'")
        web = steadyPort()
        # It sends wrong tokens on purpose, hundreds of them.
        limits = ("--auth-failures", "1000000", "--auth-failure-interval", "0.001")
        hub = self.twistd("kernelhub", "--port", "0", "--dashboard", str(web), "--state", str(self.state.path), *limits)
        hub.waitFor("dashboard: http://127.0.0.1")
        self.port = int(control_client.call(self.state, {"command": "status"})["port"])
        author = self.client("AI_1")
        author.hello(protocol=2)
        for number in range(5):
            author.send("os_component_share", claiming(f"c{number}", number / 10))
        token = control_client.call(self.state, {"command": "viewers issue", "ai_id": "test"})["token"]
        request = urllib.request.Request(f"http://127.0.0.1:{web}/api/openapi.yaml")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            document = self.folder / "openapi.yaml"
            document.write_bytes(answer.read())
        command = [schemathesis, "run", str(document), "--url", f"http://127.0.0.1:{web}", "--no-color"]
        command += ["-H", f"Authorization: Bearer {token}", "--exclude-path", "/api/events", "-n", "15", "--seed", "1"]
        command += ["--phases", "coverage,fuzzing"]
        ran = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout[-4000:] + json.dumps(hub.lines[-5:]))
