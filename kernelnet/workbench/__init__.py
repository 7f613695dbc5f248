"""
Where components are proved: strangers' code is compiled, run and scored without trusting it.

  - C{base}: what benches and their scenarios have in common; C{suite}: several scenarios as one task; C{variants}: a
    scenario as one module meets it, C{thinning}: what a variant leaves out, and its order; C{reports}: what was
    measured; C{words}: tasks in words; C{tuned}: hand-made policies with other numbers
  - C{abi}: what a component of one kind exports; C{kn.h}: the C library of components
  - C{trace}: what traces of all benches have in common; C{splits}: their parts in time; C{reading}: trace files;
    C{account}: how one was understood; C{trace_statistics}: regularities that several benches look for;
    C{recording}: what records one for a bench
  - C{compiler}: C to WebAssembly, in a jail (C{_jail}); C{kept_modules}: of this package's own, between processes
  - C{sandbox}: the wall around strangers' modules: what is loaded, what becomes of what it does; C{_sections} counts
    what a module declares; C{translator}: modules to machine code, in a limited child (C{_cranelift}); C{engine}: the
    one that all run on, and its clock
  - C{memory}: what a driver walks; C{machine}: runs a policy with its driver on that; C{cost}: time and memory that it
    takes
  - C{errors}: what can go wrong, one class for each kind; C{diagnosis}: why a module fails, and where its fuel goes
  - C{audio}, C{file_system}, C{graphics}, C{network_stack}, C{process_manager}, C{security}, C{window_manager}: the
    benches

Nothing here knows a network or a reactor, or who writes components; everything blocks, and may be called from any
number of threads.
"""
