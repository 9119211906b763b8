// image.decode: makes a picture out of a JPEG or PNG file's bytes.
//   page: { type: image.decode, from: files }
// What the file is decides, not what it is called. Pictures come upright, as their camera says.
// Related: files, image.to_tensor, image.decode_to_tensor.
#include "sluice/core/registry.h"
#include "sluice/nodes/image/file_options.h"

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
  inline static const FileOptions reading{};
  inline static const Spec kSpec =
      reading
          .added_to(Spec("image.decode", "Makes a picture out of a JPEG or PNG file's bytes.")
                        .ports(bytes, out)
                        .options(channels))
          .stateless()
          .notes(
              "JPEG: baseline and progressive, grey, colour, CMYK. PNG: all kinds; 16 bits are "
              "rounded to 8. The name's ending does not count. "
              "Related: files, image.to_tensor, image.decode_to_tensor, image.write.")
          .example(R"(version: 1
nodes:
  files: { type: files, glob: "./photos/*.{jpg,png}", allow_empty: true }
  photo: { type: image.decode, from: files, max_pixels: 20000000 }
  done:  { type: discard, from: photo }
)");

  Status process(Context& ctx) override {
    DecodeOptions options = reading.decoding(ctx);
    const std::string& wanted = ctx.option(channels).word;
    options.channels = wanted == "grey" ? 1 : wanted == "rgba" ? 4 : 3;
    auto image = decode_image(view_of(ctx.get(bytes)), options);
    if (!image) return image.status();
    ctx.item().count_allocated(image->size_bytes());
    ctx.emit(out, std::move(*image));
    return Status::ok();
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Decode>();

}  // namespace
}  // namespace sluice
