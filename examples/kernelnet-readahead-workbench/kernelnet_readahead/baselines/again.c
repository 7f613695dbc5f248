/* A run is expected to be as long as the one before it in the same file. */
#include "kn_readahead.h"

f64 kn_window(f64 run, f64 last, f64 ahead, f64 used, f64 offset, f64 mean) { return kn_max(0, last - run); }
