#include "tests/db/fault_shim.c"
