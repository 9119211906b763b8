#pragma once

#include "sluice/nodes/infer/native/kernels/conv_last.h"

#include <cstddef>
#include <memory>
#include <string>

namespace sluice::kernels {

// Two 1x1 convolutions, one after the other, some pixels at a time: what is between them, often
// twice as wide as what is around them, stays in the cache and never becomes an image. So does the
// result of a depthwise convolution before them, when there is one. Threads: immutable,
// thread-safe.
class ConvLastPair {
 public:
  // REQUIRES: both are 1x1, of stride 1 and one group; the second takes as many channels as the
  // first gives.
  // `depthwise`: gives the channels that the first takes; may be null.
  ConvLastPair(std::shared_ptr<const ConvLast> first, std::shared_ptr<const ConvLast> second,
               std::shared_ptr<const ConvLast> depthwise = nullptr);

  // The call is that of the second, but for what it reads, which is what the first or, if there is
  // one, the depthwise convolution reads, with that one's pads. A residual of kDepthwise is that
  // one's result, and the call has none.
  enum class Residual : std::uint8_t { kOfCall, kDepthwise };
  void set_residual(Residual residual) { residual_ = residual; }
  bool reads_bf16() const { return (depthwise_ == nullptr ? *first_ : *depthwise_).reads_bf16(); }
  std::size_t scratch_bytes(const ConvLastCall& call) const;
  void run(const ConvLastCall& call) const;
  const char* algorithm() const { return name_.c_str(); }

 private:
  struct Parts;
  Parts parts_of(const ConvLastCall& call) const;
  void run_pixels(Parts& parts, std::int64_t pixels) const;
  void run_rows(const ConvLastCall& call) const;

  std::shared_ptr<const ConvLast> first_, second_, depthwise_;
  Residual residual_ = Residual::kOfCall;
  std::string name_;
};

}  // namespace sluice::kernels
