"""
Where components are proved: strangers' code is compiled, run and scored without trusting it.

  - `kernelnet.workbench.errors`: what can go wrong, one class for each kind
  - `kernelnet.workbench.compiler`: C to WebAssembly, in a jail (C{_jail})
  - `kernelnet.workbench.sandbox`: modules to machine code in a limited child (C{_cranelift}); running them with limits
  - `kernelnet.learning.problem`: what a generator is given; `kernelnet.learning.acceptance`: which of its results are
    published, and how a peer's claim is measured again
  - `kernelnet.workbench.file_system`: the bench of page-cache eviction

Nothing here knows a network or a reactor; everything blocks, and may be called from any number of threads.
"""
