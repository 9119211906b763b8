#pragma once

#include "tests/bench/engine/workload.h"

namespace sluice::bench {

// Each prints one line of name=value and gives the program's exit status: 1 when items were lost.

// The rate of stages of unequal cost over the least that their costs allow: `mix=5,20,40x2,10`,
// microseconds, `x2` for two calls at once.
int run_rate(const Arguments& arguments);
// Nodes that compute, alone and beside a hundred that sleep in their calls.
int run_blocking(const Arguments& arguments);
// What an item waits while another node computes for 10 ms an item, over what it waits without.
int run_hog(const Arguments& arguments);
// Two pipelines with the same work in one process: the slower one's rate over the other's.
int run_fairness(const Arguments& arguments);
// A source ten times as fast as what follows: `when_full=block|drop_oldest|drop_newest`.
int run_overload(const Arguments& arguments);

}  // namespace sluice::bench
