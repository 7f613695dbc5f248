"""
Who writes components.

- `Candidate`: what a generator returns
- `available`, `find`: the generators that are installed, as plugins (C{_find})
- `kernelnet.generators.search`: the default, an evolutionary search over the policies of C{two_queues.c}
- C{two_queues.c}, `kernelnet.generators.template`: that family of policies, and how its parameters get into it

A generator of one's own implements `kernelnet.interfaces.IComponentGenerator`; C{examples/} has a package with one.
"""

from kernelnet.generators._candidate import Candidate
from kernelnet.generators._find import UnknownGenerator, available, find

__all__ = ["Candidate", "UnknownGenerator", "available", "find"]
