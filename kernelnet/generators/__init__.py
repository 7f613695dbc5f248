"""
Who writes components.

- `Candidate`: what a generator returns
- `kernelnet.generators.search`: the default, an evolutionary search over the policies of C{two_queues.c}
- C{two_queues.c}, `kernelnet.generators.template`: that family of policies, and how its parameters get into it

A generator of one's own implements `kernelnet.interfaces.IComponentGenerator`; C{examples/} has a package with one,
and `kernelnet.testing` what its tests need.  `kernelnet.plugins` finds those that are installed.
"""

from kernelnet.generators._candidate import Candidate

__all__ = ["Candidate"]
