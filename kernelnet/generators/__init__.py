"""
Who writes components.

  - `Candidate`: what a generator returns
  - `kernelnet.generators.search`: the default, a portfolio of all families that there are for a bench;
    C{_portfolio}: who of them goes on; C{_robust}: what is handed over; C{_family}: what a family is, and what it
    measures with
  - `kernelnet.generators.genetic`: genetic programming, on any bench with a rank ABI
  - `kernelnet.generators.translation`: expressions of one bench in the words of another
  - `kernelnet.generators.expression`: what it breeds, as text and as C; C{_emit}: as WebAssembly; C{_simplify}
  - `kernelnet.generators.vectors`: searches the parameters of a template: C{two_queues.c}, C{lifetimes.c}, each with a
    module of its name; `kernelnet.generators.template`: how parameters get into the source
  - C{_islands}: the evolutionary search that both kinds share
  - `kernelnet.generators.fuel`: makes components cheaper; C{_rewrite}, C{lean.h}: C with fewer instructions

A generator of one's own implements `kernelnet.interfaces.IComponentGenerator`; C{examples/} has a package with one,
and `kernelnet.testing` what its tests need.  `kernelnet.plugins` finds those that are installed.
"""

from kernelnet.generators._candidate import Candidate

__all__ = ["Candidate"]
