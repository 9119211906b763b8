#include "sluice/nodes/infer/native/kernels/conv_last_pair.h"

#include "sluice/nodes/infer/native/kernels/aligned.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sluice::kernels {

// The calls of the two for the first pixels, and where scratch goes.
struct ConvLastPair::Parts {
  std::int64_t pixels = 0, at_once = 0;
  ConvLastCall first, second;
  std::size_t between_bytes = 0, first_scratch = 0, second_scratch = 0;
};

ConvLastPair::ConvLastPair(std::shared_ptr<const ConvLast> first,
                           std::shared_ptr<const ConvLast> second)
    : first_(std::move(first)),
      second_(std::move(second)),
      name_(std::string("pair of ") + second_->algorithm()) {
  assert(first_->params().out_channels == second_->params().in_channels);
}

ConvLastPair::Parts ConvLastPair::parts_of(const ConvLastCall& call) const {
  constexpr std::int64_t kBytes = 96 * 1024, kFewest = 48;
  Parts parts;
  const std::int64_t between = first_->params().out_channels;
  parts.pixels = call.batch * call.out_height * call.out_width;
  // Whole tiles of any height.
  parts.at_once = std::max(kBytes / (between * 4) / 24 * 24, kFewest);
  parts.at_once = std::min(parts.at_once, parts.pixels);
  parts.first = parts.second = call;
  for (ConvLastCall* part : {&parts.first, &parts.second}) {
    part->batch = part->height = part->out_height = 1;
    part->width = part->out_width = parts.at_once;
  }
  parts.first.residual = nullptr;
  parts.first.output_step = parts.second.input_step = between;
  parts.between_bytes = align_up(static_cast<std::size_t>(parts.at_once * between) * sizeof(float));
  parts.first_scratch = align_up(first_->scratch_bytes(parts.first));
  parts.second_scratch = second_->scratch_bytes(parts.second);
  return parts;
}

std::size_t ConvLastPair::scratch_bytes(const ConvLastCall& call) const {
  const Parts parts = parts_of(call);
  return parts.between_bytes + std::max(parts.first_scratch, parts.second_scratch);
}

void ConvLastPair::run(const ConvLastCall& call) const {
  Parts parts = parts_of(call);
  auto* between = reinterpret_cast<float*>(call.scratch);
  parts.first.output = between;
  parts.second.input = between;
  parts.first.scratch = parts.second.scratch = call.scratch + parts.between_bytes;
  for (std::int64_t i = 0; i < parts.pixels; i += parts.at_once) {
    const std::int64_t count = std::min(parts.at_once, parts.pixels - i);
    parts.first.width = parts.first.out_width = count;
    parts.second.width = parts.second.out_width = count;
    parts.first.input = call.input + i * call.input_step;
    parts.second.output = call.output + i * call.output_step;
    parts.second.residual =
        call.residual == nullptr ? nullptr : call.residual + i * call.residual_step;
    first_->run(parts.first);
    second_->run(parts.second);
  }
}

}  // namespace sluice::kernels
