"""
A component as a congestion control of this machine's kernel.

  - C{loading}: loads into the kernel, lists what is loaded of ours, and takes it out
  - C{link}: one connection over the bench's link in real time; C{link.c}, which carries it
  - C{measurement}: real beside simulated, of a component and of the kernel's own
"""
