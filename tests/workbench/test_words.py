"""Tasks and settings in words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.workbench.file_system import workbench as files
from kernelnet.workbench.network_stack import workbench as network
from kernelnet.workbench.process_manager import workbench as processes
from kernelnet.workbench.words import inWords, partsInWords, subjectOf, taskInWords

LINK = {"rtt_ms": 40, "queue_packets": 250, "loss_permille": 0, "flows": 1}
CPUS = {"cpus": 2, "load_permille": 900, "bound_us": 1000, "tick_us": 1000, "quantum_us": 1000, "switch_us": 5}


class WordsTests(SynchronousTestCase):
    def test_task(self) -> None:
        """A task is its trace with what isn't the default, in words and units."""
        for workbench, settings, words in (
            (files, {"capacity": 55}, "t, 55 blocks"),
            (network, LINK, "t"),
            (network, {**LINK, "flows": 3, "loss_permille": 5}, "t, 5 ‰ lost, 3 flows"),
            (processes, CPUS, "t, 2 CPUs"),
            (processes, {**CPUS, "cpus": 1, "load_permille": 0, "quantum_us": 20_000}, None),
            (None, {"seek": 16, "wait_ms": 3, "_": 1}, "t, seek 16, wait 3 ms, 1"),
        ):
            wanted = words if words is not None else "t, 1 CPU, load as recorded, quantum 20 ms"
            self.assertEqual(taskInWords(workbench, "t", settings), wanted)

    def test_suite(self) -> None:
        """Several traces are named once each; what they have alike is said once."""
        self.assertEqual(partsInWords([("a", "55 blocks"), ("b", "59 blocks")]), "a 55 + b 59 blocks")
        self.assertEqual(partsInWords([("a", "3 flows"), ("b", "3 flows")]), "a + b, 3 flows")
        self.assertEqual(partsInWords([("a", ""), ("b", "3 flows")]), "a + b 3 flows")
        self.assertEqual(taskInWords(files, "2 traces: a 55 + b 59 blocks", {"parts": 2}), "a 55 + b 59 blocks")
        self.assertEqual(inWords(files, {"parts": 2}), "")

    def test_claimed(self) -> None:
        """A stranger's claim may lack settings, name others, or have numbers that no bench would take."""
        self.assertEqual(inWords(processes, {"cpus": 2}), "cpus 2")
        self.assertEqual(inWords(network, {}), "")
        self.assertIn("load 9999", inWords(processes, {**CPUS, "load_permille": int("9" * 400)}))

    def test_subject(self) -> None:
        """The subject is the beginning of the description; of a bench that isn't here its name."""
        self.assertEqual(subjectOf(processes, "process_manager"), "CPU scheduling")
        self.assertEqual(subjectOf(None, "window_manager"), "window manager")
