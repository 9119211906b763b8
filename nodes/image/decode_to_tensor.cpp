// image.decode_to_tensor: makes a model's input out of a JPEG or PNG file's bytes, in one pass.
//   input: { type: image.decode_to_tensor, from: files, width: 224, height: 224,
//            mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
// Gives what image.decode and image.to_tensor give, to the bit, in less time and memory: no picture
// lies between. Related: image.decode, image.to_tensor, infer.
#include "sluice/core/registry.h"
#include "sluice/nodes/image/file_options.h"
#include "sluice/nodes/image/jpeg_rows.h"
#include "sluice/nodes/image/opencv.h"
#include "sluice/nodes/image/tensor_options.h"

namespace sluice {
namespace {

class DecodeToTensor final : public Node {
 public:
  inline static const In<Bytes> bytes{"bytes", "a JPEG or PNG file"};
  inline static const Out<Tensor> out{"out", "f32, one picture, no batch axis"};
  inline static const Out<ImageMap> map =
      Out<ImageMap>("map", "how tensor positions lie on the picture").optional();
  inline static const FileOptions reading{};
  inline static const TensorOptions how{};
  inline static const Spec kSpec =
      reading
          .added_to(how.added_to(
              Spec("image.decode_to_tensor",
                   "Makes a model's input out of a JPEG or PNG file's bytes, in one pass.")
                  .ports(bytes, out, map)))
          .stateless()
          .notes(
              "The result is that of `image.decode` with the last three options and "
              "`image.to_tensor` with the others, to the bit; sizes and values are as said there. "
              "Rows go from the decoder through the scaler into the tensor while they are in the "
              "cache, and no picture is kept: for JPEGs that are baseline, grey or of colours at "
              "full size, half the width or half of both, and upright, with the filters bilinear "
              "and antialias. All others go over a whole picture, as through the two nodes. "
              "Related: image.decode, image.to_tensor, infer.")
          .rejects("image.tensor_size", "a side of the tensor would be more than 65535")
          .example(R"(version: 1
nodes:
  files: { type: files, glob: "./photos/*.jpg", allow_empty: true }
  input: { type: image.decode_to_tensor, from: files, width: 224, height: 224, fit: crop,
           short_side: 256, filter: antialias,
           mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
  done:  { type: discard, from: input }
)");

  Result<Ports> resolve(Resolve& plan) override { return how.resolve(plan, out.index()); }

  Status open(Context& ctx, std::size_t) override {
    use_one_opencv_thread();
    recipe_ = how.recipe(ctx);
    return Status::ok();
  }

  Status process(Context& ctx) override {
    const std::span<const std::byte> view = view_of(ctx.get(bytes));
    if (sniff_image_format(view) == ImageFormat::kJpeg) {
      const auto done = process_rows(ctx, view);
      if (!done || *done) return done.status();
    }
    return process_picture(ctx, view);
  }

 private:
  // Row by row; false when this JPEG has to go over a picture, which also knows what is wrong.
  Result<bool> process_rows(Context& ctx, std::span<const std::byte> view) const {
    const DecodeOptions options = reading.decoding(ctx);
    JpegRows rows(view, {options.max_pixels, options.apply_rotation});
    if (!rows.is_served()) return false;
    const int width = rows.width();
    const int height = rows.height();
    const auto placed = place(recipe_, width, height);
    if (!placed || !takes_rows(recipe_, *placed, width, height)) return false;
    auto tensor = ctx.allocate_tensor(DType::kF32, shape_of(recipe_, *placed));
    if (!tensor) return tensor.status();
    const RowSource source{width, height, 4, [&rows](int y) { return rows.row(y); }};
    if (!fill_from_rows(recipe_, *placed, source, *tensor) || !rows.finish()) return false;
    emit_tensor(ctx, {out, map}, *placed, width, height, std::move(*tensor));
    return true;
  }

  Status process_picture(Context& ctx, std::span<const std::byte> view) const {
    const auto picture = decode_image(view, reading.decoding(ctx));
    if (!picture) return picture.status();
    ctx.item().count_allocated(picture->size_bytes());
    return emit_tensor_of(ctx, {out, map}, recipe_, *picture);
  }

  TensorRecipe recipe_;
};

[[maybe_unused]] const bool kRegistered = register_node<DecodeToTensor>();

}  // namespace
}  // namespace sluice
