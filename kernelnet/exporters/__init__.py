"""
Exporters: learned policies out of the simulator, into real systems.

A component is exported as its own WebAssembly, translated: what runs there decides as what was measured, to the bit.

  - C{wasm}: the binary format, read into values
  - C{instructions}: each instruction as data, with its C
  - C{signatures}: types, constants and heads of functions in C
  - C{function}: the code of one function, to C
  - C{translation}: a whole module to C; C{native.h} is what that stands on, with C{ground.h}
  - C{bpf_translation}: the same for the kernel's BPF machine, by whole numbers alone; it stands on C{bpf.h}, too, and
    C{soft_float.h}
  - C{bpf_building}: C to a program of that machine
  - C{building}: C to a shared library
  - C{folder}: what an export is on disk, with its manifest
  - C{c_library}, C{libcachesim}, C{sqlite}: the exporters of these names
  - C{eviction}: what the latter two have in common, with C{eviction.c}, a page cache's policy for real caches;
    C{plugin_cache}, C{pcache.c}: what they put beside it
  - C{bpf_tcp}: the exporter C{bpf-tcp}, with C{bpf_tcp.c}, which the kernel calls, C{bpf_tcp_rank.h}, what flows of the
    rank ABI know, and C{bpf_kernel.h}, the kernel's types
  - C{scx}: the exporter of that name, with C{scx.c}, the scheduler, and C{scx_kernel.h}, what it asks of the kernel
  - C{memory}: memory that a component wants before it decides anything
  - C{errors}: what can go wrong, in sentences
"""
