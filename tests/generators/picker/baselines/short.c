#include "kn_picker.h"

f64 kn_rank(f64 length, f64 waited, f64 noise) { return length; }
