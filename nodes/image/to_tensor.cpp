// image.to_tensor: makes a picture into a model's input: resized, normalised, laid out.
//   input: { type: image.to_tensor, from: photo, width: 224, height: 224,
//            mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
// Take over the recipe that the model was trained with: its size rule, filter, channel order, mean
// and standard deviation; each is worth whole points of accuracy.
// Related: image.decode_to_tensor, image.decode, infer.
#include "sluice/core/registry.h"
#include "sluice/nodes/image/opencv.h"
#include "sluice/nodes/image/tensor_options.h"
#include "sluice/nodes/image/tensor_step.h"

namespace sluice {
namespace {

class ToTensor final : public Node {
 public:
  inline static const In<Image> image{"image", "the picture"};
  inline static const Out<Tensor> out{"out", "f32, one picture, no batch axis"};
  inline static const Out<ImageMap> map =
      Out<ImageMap>("map", "how tensor positions lie on the picture").optional();
  inline static const TensorOptions how{};
  inline static const Spec kSpec =
      how.added_to(Spec("image.to_tensor",
                        "Makes a picture into a model's input: resized, normalised, laid out.")
                       .ports(image, out, map))
          .stateless()
          .runs_on_devices()
          .notes(
              "Sizes: `width` and `height` give a fixed size (see `fit`); one of them alone keeps "
              "the "
              "aspect ratio; `short_side` and `long_side` are limits that keep it too; without any "
              "the picture keeps its size. A value v of 0..255 becomes (v / 255 - mean) / std. "
              "Where nothing else reads the picture, `image.decode_to_tensor` is faster. "
              "With `device: cuda` a picture goes to the GPU as its bytes and is made into a "
              "tensor "
              "there, stretched and in colour, without rounding to 0..255 in between: values "
              "differ "
              "from the CPU's by at most one step of those. "
              "Related: image.decode_to_tensor, image.decode, infer.")
          .rejects("image.tensor_size", "a side of the tensor would be more than 65535")
          .example(R"(version: 1
nodes:
  files: { type: files, glob: "./photos/*.jpg", allow_empty: true }
  photo: { type: image.decode, from: files }
  input: { type: image.to_tensor, from: photo, width: 224, height: 224, fit: crop, short_side: 256,
           mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], filter: antialias }
  done:  { type: discard, from: input }
)");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = how.resolve(plan, out.index());
    if (plan.common().has_lanes() && how.suits_device(plan)) {
      ports.execution = ExecutionClass::kLanes;
    }
    ports.stacking = gpu::step_stacking(false, true);
    return ports;
  }

  Status open(Context& ctx, std::size_t /*workers*/) override {
    use_one_opencv_thread();
    recipe_ = how.recipe(ctx);
    return Status::ok();
  }

  Status process(Context& ctx) override {
    return emit_tensor_of(ctx, {out, map}, recipe_, ctx.get(image));
  }

  Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(Context&, Device& device,
                                                               std::size_t lanes) override {
    return gpu::make_step_programs(std::make_shared<TensorStep>(recipe_), "image.to_tensor", device,
                                   lanes);
  }

  Result<std::vector<Tensor>> device_inputs(Context& ctx) override {
    const Image& picture = ctx.get(image);
    const auto placed = place(recipe_, picture.width(), picture.height());
    if (!placed) return placed.status();
    return std::vector{pixels_of(picture)};
  }

  Status device_outputs(Context& ctx, std::span<const Shape> /*inputs*/,
                        std::span<const Tensor> outputs) override {
    const Image& picture = ctx.get(image);
    const auto placed = place(recipe_, picture.width(), picture.height());
    if (!placed) return placed.status();
    emit_tensor(ctx, {out, map}, *placed, picture.width(), picture.height(), outputs[0]);
    return Status::ok();
  }

 private:
  TensorRecipe recipe_;
};

[[maybe_unused]] const bool kRegistered = register_node<ToTensor>();

}  // namespace
}  // namespace sluice
