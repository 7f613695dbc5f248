"""
Rank functions as expressions: one tree, which is text, C and WebAssembly with the same value to the bit.

  - C{syntax}: trees read, printed, reckoned, and written as C
  - C{wasm_codegen}: trees written as WebAssembly
  - C{simplification}: smaller trees that decide the same, and bolder steps
  - C{translation}: expressions over one bench's features tried on another
"""
