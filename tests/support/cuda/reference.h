#pragma once

#include "tests/support/cuda/case.h"

namespace sluice::cuda {

// What each output should hold, in row-major order, computed in double in the plainest way.
std::vector<std::vector<double>> reference(const Case& test);

// The parts, by kind.
std::vector<double> reference_map(const Case& test);
std::vector<double> reference_copy(const Case& test);
std::vector<double> reference_pad(const Case& test);
std::vector<double> reference_gather(const Case& test);
std::vector<double> reference_reduce(const Case& test);
std::vector<double> reference_arg(const Case& test);
std::vector<std::vector<double>> reference_topk(const Case& test);
std::vector<double> reference_softmax(const Case& test);
std::vector<double> reference_normalize(const Case& test);
std::vector<double> reference_conv(const Case& test);
std::vector<std::vector<double>> reference_pool(const Case& test);
std::vector<double> reference_lrn(const Case& test);
std::vector<double> reference_resize(const Case& test);
std::vector<double> reference_conv_transpose(const Case& test);
std::vector<double> reference_attention(const Case& test);
std::vector<double> reference_image(const Case& test);
std::vector<double> reference_matmul(const Case& test);

double reference_activation(const sluice_cuda_activation& activation, double value);

// Row-major positions of a box, as indices.
Extents indices_of(std::int64_t position, const Extents& dims);
std::int64_t position_of(const Extents& indices, const Extents& dims);
Extents dims_of(const sluice_cuda_view& view);

}  // namespace sluice::cuda
