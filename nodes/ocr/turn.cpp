// ocr.turn: turns the lines of text that stand on their head.
//   turn_in: { type: image.to_tensor, from: crop, height: 48, max_width: 192, channels: bgr, mean:
//   0.5, std: 0.5 } turn:    { type: infer, from: turn_in, model: ./cls.onnx, batch: { max: 16,
//   pad: { w: { step: 192, max: 192 } } } } upright: { type: ocr.turn, from: { image: crop, turned:
//   turn } }
// For models such as PP-OCR's line classifier. Related: image.crop_quad, infer.
#include "sluice/core/registry.h"
#include "sluice/nodes/image/opencv.h"

namespace sluice {
namespace {

constexpr std::int64_t kClasses = 2;

class Turn final : public Node {
 public:
  inline static const In<Image> image{"image", "the line, cut out of its page"};
  inline static const In<Tensor> turned{
      "turned", "f32 [2]: the probabilities that it is upright, and that it stands on its head"};
  inline static const Out<Image> out{"out", "the line, upright"};
  inline static const Option<double> min_score =
      Option<double>("min_score",
                     "a line is turned if the probability that it stands on its head is more, 0..1")
          .range(0, 1)
          .or_default(0.9);
  inline static const Spec kSpec =
      Spec("ocr.turn", "Turns the lines of text that stand on their head.")
          .ports(image, turned, out)
          .options(min_score)
          .stateless()
          .notes(
              "Turned by 180 degrees, pixel for pixel; any other line passes as it is, without a "
              "copy. With `enabled: false` every line passes, and what only this node reads is "
              "left out of the pipeline. Related: image.crop_quad, infer, ocr.ctc.")
          .rejects("ocr.shape", "the probabilities are not two numbers")
          .example(R"(nodes:
  turn:    { type: infer, from: turn_in, model: ./cls.onnx }
  upright: { type: ocr.turn, from: { image: crop, turned: turn }, min_score: 0.9 }
  rec_in:  { type: image.to_tensor, from: upright, height: 48, max_width: 3200 }
)");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    ports.inputs[turned.index()].type.tensor =
        TensorType{DType::kF32, std::vector{Dim{kClasses, ""}}, ""};
    return ports;
  }

  Status open(Context&, std::size_t) override {
    use_one_opencv_thread();
    return Status::ok();
  }

  Status process(Context& ctx) override {
    const Tensor& scores = ctx.get(turned);
    if (scores.shape() != Shape{kClasses} || scores.dtype() != DType::kF32 ||
        !scores.is_contiguous()) {
      return invalid("ocr.shape", "probabilities of " + scores.shape().to_string() +
                                      ", expected f32 " + Shape{kClasses}.to_string());
    }
    // NaN turns nothing.
    if (!(scores.data<float>()[1] > ctx.option(min_score))) {
      ctx.emit(out, ctx.get(image));
      return Status::ok();
    }
    const Image& line = ctx.get(image);
    auto upright = ctx.allocate_image(line.width(), line.height(), line.channels());
    if (!upright) return upright.status();
    cv::Mat target = view_of(*upright);
    cv::rotate(view_of(line), target, cv::ROTATE_180);
    ctx.emit(out, std::move(*upright));
    return Status::ok();
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Turn>();

}  // namespace
}  // namespace sluice
