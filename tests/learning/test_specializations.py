"""Who can do what, and who complements whom."""

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.artifacts import SPECIALIZATIONS, OSFeature
from kernelnet.learning.specializations import (
    CAPABILITIES,
    COMPLEMENTARY,
    canHelpWith,
    capabilitiesOf,
    complements,
    featureOf,
)


class SpecializationTests(SynchronousTestCase):
    def test_pairsNameSpecializationsThatExist(self) -> None:
        """Every complementary pair names two different specializations that a trainer can have."""
        for pair in COMPLEMENTARY:
            self.assertEqual(len(pair), 2)
            self.assertLessEqual(pair, set(SPECIALIZATIONS))

    def test_everySpecializationComplementsAnother(self) -> None:
        """No specialization but the general one is left without a partner."""
        for one in SPECIALIZATIONS:
            if one != "general":
                self.assertTrue(any(complements(one, other) for other in SPECIALIZATIONS), one)

    def test_symmetric(self) -> None:
        """If one complements another, the other complements the one; nobody complements itself."""
        for one in SPECIALIZATIONS:
            self.assertFalse(complements(one, one))
            for other in SPECIALIZATIONS:
                self.assertEqual(complements(one, other), complements(other, one))

    def test_capabilities(self) -> None:
        """A trainer can do the base, its specialization, and what the user adds, each once."""
        words = capabilitiesOf("security", ("encryption", "fuzzing"))
        self.assertEqual(len(words), len(set(words)))
        self.assertLessEqual({"pattern_recognition", "security", "access_control", "fuzzing"}, set(words))
        self.assertEqual(set(CAPABILITIES), set(SPECIALIZATIONS))

    def test_canHelpWith(self) -> None:
        """A feature is matched by any of its words, however they are joined."""
        self.assertTrue(canHelpWith("file_system", capabilitiesOf("file_system")))
        self.assertTrue(canHelpWith("Process Scheduling", capabilitiesOf("process_manager")))
        self.assertFalse(canHelpWith("audio mixer", capabilitiesOf("file_system")))

    def test_features(self) -> None:
        """Every specialization builds for a feature that an OS has."""
        for one in SPECIALIZATIONS:
            self.assertIn(featureOf(one), {f.value for f in OSFeature})
