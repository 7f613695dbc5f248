/* Only what is asked for. */
#include "kn_readahead.h"

f64 kn_window(f64 run, f64 last, f64 ahead, f64 used, f64 offset, f64 mean) { return 0; }
