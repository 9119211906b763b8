#pragma once

#include <map>
#include <string>
#include <vector>

#include "sluice/core/geometry.h"
#include "sluice/core/image.h"
#include "sluice/core/payload.h"
#include "sluice/core/tensor.h"
#include "sluice/core/value.h"

namespace sluice {

// The payload types every node may use. A type of one's own is registered in the same way.
// As JSON a tensor of at most 1,024 elements is its values, nested by axis, and a larger one
// {"dtype", "shape"}; a quad is [[x,y] x 4]; floats have as few digits as tell them apart.

// Bytes as they lie in a file, with the name they came under.
struct Bytes {
  Buffer data;
  std::string name;
};

struct Text {
  std::string text;  // UTF-8
};

// JSON-like data.
struct Record {
  Value value;
};

// Several tensors by name, for models with many inputs.
struct Tensors {
  std::vector<std::pair<std::string, Tensor>> tensors;
};

template <> struct PayloadTraits<Any> { static PayloadType describe(); };
template <> struct PayloadTraits<Bytes> { static PayloadType describe(); };
template <> struct PayloadTraits<Text> { static PayloadType describe(); };
template <> struct PayloadTraits<Record> { static PayloadType describe(); };
template <> struct PayloadTraits<Image> { static PayloadType describe(); };
template <> struct PayloadTraits<Tensor> { static PayloadType describe(); };
template <> struct PayloadTraits<Tensors> { static PayloadType describe(); };
template <> struct PayloadTraits<Quad> { static PayloadType describe(); };
template <> struct PayloadTraits<ImageMap> { static PayloadType describe(); };
template <> struct PayloadTraits<TextLine> { static PayloadType describe(); };
template <> struct PayloadTraits<Detection> { static PayloadType describe(); };

}  // namespace sluice
