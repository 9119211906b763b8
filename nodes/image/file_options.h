#pragma once

#include "sluice/core/node.h"
#include "sluice/core/spec.h"
#include "sluice/nodes/image/codec.h"

namespace sluice {

// The options of a node that reads picture files. Each such node has its own: an option knows its
// place in one spec. REQUIRES: lives as long as the spec.
struct FileOptions {
  const Option<int> max_pixels =
      Option<int>("max_pixels",
                  "width x height; a larger picture is rejected before memory is taken")
          .range(1, 4e9)
          .or_default(64'000'000);
  const Option<Choice> orientation =
      Option<Choice>(
          "orientation",
          "of photos whose camera was turned: apply stands them upright, ignore leaves them")
          .one_of({"apply", "ignore"})
          .or_default({"apply"});
  const Option<Choice> damaged =
      Option<Choice>("damaged",
                     "a picture that breaks off or is corrupt: reject it, or keep what can be read "
                     "of it, the rest grey")
          .one_of({"reject", "keep"})
          .or_default({"reject"});

  // `spec` with these options, and what decode_image may reject a file for.
  Spec added_to(const Spec& spec) const {
    return spec.options(max_pixels, orientation, damaged)
        .rejects("image.empty", "the file has no bytes")
        .rejects("image.unsupported", "it is no JPEG or PNG, or of a kind that is not read")
        .rejects("image.truncated", "the picture breaks off")
        .rejects("image.corrupt", "the picture's data contradicts itself")
        .rejects("image.too_large", "the picture has more than max_pixels pixels");
  }
  // What they say, and the run's budget.
  DecodeOptions decoding(const Context& ctx) const {
    DecodeOptions options;
    options.max_pixels = ctx.option(max_pixels);
    options.keep_damaged = ctx.option(damaged).word == "keep";
    options.apply_rotation = ctx.option(orientation).word == "apply";
    options.budget = ctx.budget();
    return options;
  }
};

// The bytes of a file; none where there is no buffer.
inline std::span<const std::byte> view_of(const Bytes& file) {
  return file.data ? std::span<const std::byte>(file.data.data(), file.data.size_bytes())
                   : std::span<const std::byte>();
}

}  // namespace sluice
