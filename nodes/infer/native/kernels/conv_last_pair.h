#pragma once

#include "sluice/nodes/infer/native/kernels/conv_last.h"

#include <cstddef>
#include <memory>
#include <string>

namespace sluice::kernels {

// Two 1x1 convolutions, one after the other, some pixels at a time: what is between them, often
// twice as wide as what is around them, stays in the cache and never becomes an image. Threads:
// immutable, thread-safe.
class ConvLastPair {
 public:
  // REQUIRES: both are 1x1, of stride 1 and one group; the second takes as many channels as the
  // first gives.
  ConvLastPair(std::shared_ptr<const ConvLast> first, std::shared_ptr<const ConvLast> second);

  // The call is that of the second, but for its input, which is the first one's. REQUIRES: no pads.
  std::size_t scratch_bytes(const ConvLastCall& call) const;
  void run(const ConvLastCall& call) const;
  const char* algorithm() const { return name_.c_str(); }

 private:
  struct Parts;
  Parts parts_of(const ConvLastCall& call) const;

  std::shared_ptr<const ConvLast> first_, second_;
  std::string name_;
};

}  // namespace sluice::kernels
