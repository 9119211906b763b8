#include "sluice/nodes/infer/native/kernels/cpu.h"

#include "sluice/nodes/infer/native/kernels/target.h"

#include <cblas.h>

#include <cstdlib>
#include <mutex>

// Exported by builds of OpenBLAS with run-time dispatch, but not declared in its headers; absent
// elsewhere.
extern "C" {
__attribute__((weak)) void gotoblas_dynamic_init();
__attribute__((weak)) void gotoblas_dynamic_quit();
}

namespace sluice::kernels {
namespace {

#if SLUICE_HAVE_AVX2
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

Isa detect() {
#if SLUICE_HAVE_AVX2
  const char* given = std::getenv("SLUICE_ISA");
  const std::string_view limit = given == nullptr ? "" : given;
  if (!has_avx2() || limit == "portable") return Isa::kPortable;
  if (!has_avx512() || limit == "avx2") return Isa::kAvx2;
  const bool has_bf16 = __builtin_cpu_supports("avx512bf16");
  return has_bf16 && limit != "avx512" ? Isa::kAvx512Bf16 : Isa::kAvx512;
#else
  return Isa::kPortable;
#endif
}

// The OpenBLAS core this CPU should have at least, or null where any choice is as good.
const char* wanted_core() {
#if SLUICE_HAVE_AVX2
  if (has_avx512()) return "SkylakeX";
  if (has_avx2()) return "Haswell";
#endif
  return nullptr;
}

// Cores whose kernels use no AVX2: what OpenBLAS falls back to for a CPU that it does not know.
bool is_too_old(std::string_view core, std::string_view wanted) {
  for (std::string_view old :
       {"Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Sandybridge", "Atom", "Katmai",
        "Coppermine", "Northwood", "Banias", "Athlon", "Opteron", "Opteron_SSE3", "Barcelona",
        "Bobcat", "Nano", "Bulldozer"}) {
    if (core == old) return true;
  }
  // Zen is Haswell's kernels; on a CPU with AVX-512 both leave half of it unused.
  return wanted == "SkylakeX" && (core == "Haswell" || core == "Zen");
}

void repair_core() {
  const char* wanted = wanted_core();
  if (wanted == nullptr || gotoblas_dynamic_init == nullptr || gotoblas_dynamic_quit == nullptr)
    return;
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) return;  // the user's own choice
  if (!is_too_old(openblas_get_corename(), wanted)) return;

  setenv("OPENBLAS_CORETYPE", wanted, 1);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv("OPENBLAS_CORETYPE");
}

}  // namespace

Isa isa() {
  static const Isa best = detect();
  return best;
}

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::kAvx512Bf16:
      return "avx512_bf16";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kPortable:
      break;
  }
  return "portable";
}

void init_blas() {
  static std::once_flag once;
  std::call_once(once, [] {
    repair_core();
    openblas_set_num_threads(1);
  });
}

std::string blas_core_name() {
  init_blas();
  return openblas_get_corename();
}

}  // namespace sluice::kernels
