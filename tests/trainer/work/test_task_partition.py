"""Tasks are dealt among those who are there."""

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import Verdict
from kernelnet.message import AiInfo
from kernelnet.trainer.storage.knowledge_base import KnownComponent
from kernelnet.trainer.work.task_partition import placeAmong
from tests.trainer.support import component

BENCHES = ["file_system"]


def info(connected: bool = True, benches: tuple[str, ...] = ("file_system",)) -> AiInfo:
    return AiInfo("general", connected=connected, workbenches=list(benches))


class PlaceTests(SynchronousTestCase):
    def test_agreed(self) -> None:
        """All who know of each other have places of their own, without a word."""
        ais = {id_: info() for id_ in ("AI_2", "AI_3", "AI_1")}
        places = [placeAmong(id_, BENCHES, ais, []) for id_ in ("AI_1", "AI_2", "AI_3")]
        self.assertEqual(places, [(0, 3), (1, 3), (2, 3)])

    def test_whoCounts(self) -> None:
        """Only who is connected, and trains on a bench that is ours too."""
        ais = {
            "AI_0": info(connected=False),
            "AI_1": info(benches=("security",)),
            "AI_2": info(benches=("security", "file_system")),
        }
        self.assertEqual(placeAmong("AI_3", BENCHES, ais, []), (1, 2))
        self.assertEqual(placeAmong("AI_3", BENCHES, {}, []), (0, 1))

    def test_liar(self) -> None:
        """Whose claim was refuted here is dealt nothing; who is accused of it by others is."""
        ais = {"AI_1": info(), "AI_2": info()}
        known = KnownComponent(component("c"), "AI_1")
        self.assertEqual(placeAmong("AI_3", BENCHES, ais, [known]), (2, 3))
        known.verdict = Verdict.REFUTED
        self.assertEqual(placeAmong("AI_3", BENCHES, ais, [known]), (1, 2))
