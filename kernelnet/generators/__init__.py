"""
Writers of components.

  - C{search}: the default, a portfolio of all families that there are for a bench
  - C{genetic_programming}: a family over rank functions, on any bench that has them, and the generator C{genetic}
  - C{evolution}: what all searches share: families, islands, who goes on, what is handed over
  - C{templates}: C files with parameters, the search for their values, and the generator C{template}
  - C{llm}: language models as a family, and the generator C{llm}
  - C{fuel_reduction}: makes components cheaper

A generator of one's own implements `kernelnet.interfaces.IComponentGenerator`; C{examples/} has a package with one,
and `kernelnet.testing` what its tests need.  `kernelnet.plugins` finds those that are installed.
"""

from kernelnet.artifacts import Candidate

__all__ = ["Candidate"]
