"""Who a trainer is."""

from importlib.metadata import version

from twisted.trial.unittest import SynchronousTestCase

from kernelnet.trainer.profile import Profile


class ProfileTests(SynchronousTestCase):
    def test_of(self) -> None:
        """Its specialization gives it words and a feature; words of its own come after these, none of them twice."""
        profile = Profile.of("AI_1", "networking", ("tcp", "networking"), ("search",))
        self.assertEqual((profile.aiId, profile.specialization), ("AI_1", "networking"))
        self.assertEqual((profile.feature, profile.generators), ("network_stack", ("search",)))
        self.assertEqual(profile.capabilities[-1], "tcp")
        self.assertEqual(len(set(profile.capabilities)), len(profile.capabilities))
        self.assertEqual(profile.version, version("kernelnet"))

    def test_unknown(self) -> None:
        """There is no profile of a specialization that there isn't."""
        self.assertRaises(KeyError, Profile.of, "AI_1", "astrology")
