// image.decode: makes a picture out of a JPEG or PNG file's bytes.
//   page: { type: image.decode, from: files }
// What the file is decides, not what it is called. Pictures come upright, as their camera says.
// Related: files, image.to_tensor.
#include "sluice/core/registry.h"
#include "sluice/nodes/image/codec.h"

namespace sluice {
namespace {

class Decode final : public Node {
 public:
  inline static const In<Bytes> bytes{"bytes", "a JPEG or PNG file"};
  inline static const Out<Image> out{"out", "the picture, 8 bits a channel"};
  inline static const Option<Choice> channels =
      Option<Choice>("channels",
                     "what comes out, whatever the file holds; without rgba, what is transparent "
                     "lies on white")
          .one_of({"rgb", "grey", "rgba"})
          .or_default({"rgb"});
  inline static const Option<int> max_pixels =
      Option<int>("max_pixels",
                  "width x height; a larger picture is rejected before memory is taken")
          .range(1, 4e9)
          .or_default(64'000'000);
  inline static const Option<Choice> orientation =
      Option<Choice>(
          "orientation",
          "of photos whose camera was turned: apply stands them upright, ignore leaves them")
          .one_of({"apply", "ignore"})
          .or_default({"apply"});
  inline static const Option<Choice> damaged =
      Option<Choice>("damaged",
                     "a picture that breaks off or is corrupt: reject it, or keep what can be read "
                     "of it, the rest grey")
          .one_of({"reject", "keep"})
          .or_default({"reject"});
  inline static const Spec kSpec =
      Spec("image.decode", "Makes a picture out of a JPEG or PNG file's bytes.")
          .ports(bytes, out)
          .options(channels, max_pixels, orientation, damaged)
          .stateless()
          .notes(
              "JPEG: baseline and progressive, grey, colour, CMYK. PNG: all kinds; 16 bits are "
              "rounded to 8. The name's ending does not count. "
              "Related: files, image.to_tensor, image.write.")
          .rejects("image.empty", "the file has no bytes")
          .rejects("image.unsupported", "it is no JPEG or PNG, or of a kind that is not read")
          .rejects("image.truncated", "the picture breaks off")
          .rejects("image.corrupt", "the picture's data contradicts itself")
          .rejects("image.too_large", "the picture has more than max_pixels pixels")
          .example(R"(version: 1
nodes:
  files: { type: files, glob: "./photos/*.{jpg,png}", allow_empty: true }
  photo: { type: image.decode, from: files, max_pixels: 20000000 }
  done:  { type: discard, from: photo }
)");

  Status process(Context& ctx) override {
    const Buffer& data = ctx.get(bytes).data;
    DecodeOptions options;
    const std::string& wanted = ctx.option(channels).word;
    options.channels = wanted == "grey" ? 1 : wanted == "rgba" ? 4 : 3;
    options.max_pixels = ctx.option(max_pixels);
    options.keep_damaged = ctx.option(damaged).word == "keep";
    options.apply_rotation = ctx.option(orientation).word == "apply";
    options.budget = ctx.budget();
    const std::span<const std::byte> view =
        data ? std::span<const std::byte>(data.data(), data.size_bytes())
             : std::span<const std::byte>();
    auto image = decode_image(view, options);
    if (!image) return image.status();
    ctx.item().count_allocated(image->size_bytes());
    ctx.emit(out, std::move(*image));
    return Status::ok();
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Decode>();

}  // namespace
}  // namespace sluice
