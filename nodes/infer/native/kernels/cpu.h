#pragma once

#include <string>
#include <string_view>

namespace sluice::kernels {

// Instruction sets that kernels are compiled for, each with all of those before it. kAvx2 means
// AVX2 with FMA, kAvx512 the subsets F, BW, DQ and VL.
enum class Isa { kPortable, kAvx2, kAvx512, kAvx512Bf16 };

// The best instruction set of this CPU, found once. The environment variable SLUICE_ISA, portable,
// avx2 or avx512, lowers it, for tests and for comparing.
Isa isa();
std::string_view to_string(Isa isa);

// Makes OpenBLAS single-threaded and, where its own detection picked kernels that do not fit the
// CPU (0.3.21 takes some newer CPUs for a Prescott), makes it choose again. Idempotent,
// thread-safe; every kernel that calls OpenBLAS calls it first, so nobody has to.
void init_blas();

// The name OpenBLAS gives to the kernels in use, after the repair: "Haswell", "Zen", "SkylakeX".
std::string blas_core_name();

}  // namespace sluice::kernels
