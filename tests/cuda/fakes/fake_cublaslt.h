#pragma once

#include <cstdint>

// cublasLt's functions for products, on the host, of f32: what its documentation says of layouts,
// epilogues and batches, done in the plainest way. Only matrices that it takes are computed.
namespace sluice::cuda::testing {

struct FakeCublasLt {
  int ways = 3;                       // that its heuristics know
  std::uint32_t least_alignment = 0;  // of the operands, as the heuristics were told
  std::uint64_t workspace_bytes = 0;  // likewise
  std::uint64_t algorithm = 0;        // of the last product
};
FakeCublasLt& fake_cublaslt();

}  // namespace sluice::cuda::testing
