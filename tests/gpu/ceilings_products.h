#pragma once

namespace sluice::gpu_suite {

// The rates of large products by cublasLt, in each type.
void measure_products(bool is_quick);

}  // namespace sluice::gpu_suite
