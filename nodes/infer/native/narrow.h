#pragma once

#include "sluice/nodes/infer/native/layout.h"

#include <span>

namespace sluice::native {

// Lets values lie in memory as bf16 where who writes them can round them and all who read them
// take them so: half the bytes, and no rounding of what products read. Inputs, outputs and
// constants stay as they are, and in a model in fp32 everything does. `weights`: one a node of the
// graph that was laid out.
void store_in_bf16(LaidGraph& laid, std::span<const PackedWeights> weights);

}  // namespace sluice::native
