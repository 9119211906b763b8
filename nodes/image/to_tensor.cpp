// image.to_tensor: makes a picture into a model's input: resized, normalised, laid out.
//   input: { type: image.to_tensor, from: photo, width: 224, height: 224,
//            mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
// Take over the recipe that the model was trained with: its size rule, filter, channel order, mean
// and standard deviation; each is worth whole points of accuracy. Related: image.decode, infer.
#include "sluice/core/registry.h"
#include "sluice/nodes/image/opencv.h"
#include "sluice/nodes/image/scale.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

namespace sluice {
namespace {

constexpr int kMaxSide = 65535;

// How large the picture becomes, and which part of that is the tensor.
struct Placement {
  cv::Size scaled;
  cv::Size tensor;
  cv::Point offset;  // of the tensor's corner on the scaled picture; negative where it is padded
};

std::int64_t to_multiple(double size, std::int64_t step) {
  const auto steps = static_cast<std::int64_t>(std::nearbyint(size / static_cast<double>(step)));
  return std::max<std::int64_t>(1, steps) * step;
}

class ToTensor final : public Node {
 public:
  inline static const In<Image> image{"image", "the picture"};
  inline static const Out<Tensor> out{"out", "f32, one picture, no batch axis"};
  inline static const Out<ImageMap> map =
      Out<ImageMap>("map", "how tensor positions lie on the picture").optional();
  inline static const Option<int> width =
      Option<int>("width", "of the tensor, pixels").range(1, kMaxSide);
  inline static const Option<int> height =
      Option<int>("height", "of the tensor, pixels").range(1, kMaxSide);
  inline static const Option<Choice> fit =
      Option<Choice>("fit",
                     "with width and height, how the picture gets there: stretch it, crop its "
                     "middle, or pad it with zeros to the middle")
          .one_of({"stretch", "crop", "pad"})
          .or_default({"stretch"});
  inline static const Option<int> max_width =
      Option<int>("max_width",
                  "with height alone: a picture that would become wider is squeezed to it, pixels")
          .range(1, kMaxSide);
  inline static const Option<int> short_side =
      Option<int>("short_side",
                  "a picture whose shorter side is less is enlarged to it, pixels; with fit: crop, "
                  "the shorter side before the crop")
          .range(1, kMaxSide);
  inline static const Option<int> long_side =
      Option<int>(
          "long_side",
          "a picture whose longer side is more is reduced to it, pixels; goes before short_side")
          .range(1, kMaxSide);
  inline static const Option<int> multiple_of =
      Option<int>("multiple_of", "both sides are rounded to the nearest multiple, pixels")
          .range(1, 1024)
          .or_default(1);
  inline static const Option<Choice> layout =
      Option<Choice>("layout", "order of the axes").one_of({"chw", "hwc"}).or_default({"chw"});
  inline static const Option<Choice> channels = Option<Choice>("channels", "order of the colours")
                                                    .one_of({"rgb", "bgr", "grey"})
                                                    .or_default({"rgb"});
  inline static const Option<NumberList> mean =
      Option<NumberList>(
          "mean", "taken off each pixel, whose values are 0..1; one number, or one a channel")
          .range(-1e6, 1e6)
          .or_default({0.0});
  inline static const Option<NumberList> std_dev =
      Option<NumberList>("std",
                         "each pixel is then divided by; one number, or one a channel; "
                         "0.00392156862745098 gives 0..255")
          .range(1e-6, 1e6)
          .or_default({1.0});
  inline static const Option<Choice> filter =
      Option<Choice>(
          "filter",
          "bilinear: OpenCV's, of the four pixels around; antialias: Pillow's and "
          "torchvision's bilinear; area: mean of the pixels covered; cubic: OpenCV's; nearest")
          .one_of({"bilinear", "antialias", "area", "cubic", "nearest"})
          .or_default({"bilinear"});
  inline static const Spec kSpec =
      Spec("image.to_tensor",
           "Makes a picture into a model's input: resized, normalised, laid out.")
          .ports(image, out, map)
          .options(width, height, fit, max_width, short_side, long_side, multiple_of, layout,
                   channels, mean, std_dev, filter)
          .stateless()
          .notes(
              "Sizes: `width` and `height` give a fixed size (see `fit`); one of them alone keeps "
              "the "
              "aspect ratio; `short_side` and `long_side` are limits that keep it too; without any "
              "the picture keeps its size. A value v of 0..255 becomes (v / 255 - mean) / std. "
              "Related: image.decode, infer.")
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
    check_sizes(plan);
    const std::size_t planes = plan.option(channels).word == "grey" ? 1 : 3;
    for (const auto* numbers : {&mean, &std_dev}) {
      const std::size_t given = plan.option(*numbers).size();
      if (given != 1 && given != planes) {
        plan.option_problem(
            *numbers, "SL0207",
            "`" + numbers->name() + "` has " + std::to_string(given) + " numbers",
            "give one, or one for each of the " + std::to_string(planes) + " channels");
      }
    }
    const auto side = [&](const Option<int>& option, const char* symbol) -> Dim {
      return plan.has(option) ? Dim{plan.option(option), ""} : Dim{-1, symbol};
    };
    const Dim c{static_cast<std::int64_t>(planes), ""};
    const Dim h = side(height, "H");
    const Dim w = side(width, "W");
    const std::string& axes = plan.option(layout).word;
    Ports ports = plan.declared();
    ports.outputs[out.index()].type.tensor =
        TensorType{DType::kF32, axes == "chw" ? std::vector{c, h, w} : std::vector{h, w, c}, axes};
    return ports;
  }

  Status open(Context&, std::size_t) override {
    use_one_opencv_thread();
    return Status::ok();
  }

  Status process(Context& ctx) override {
    const Image& picture = ctx.get(image);
    const auto placed = place(ctx, picture);
    if (!placed) return placed.status();

    const bool planar = ctx.option(layout).word == "chw";
    const int planes = ctx.option(channels).word == "grey" ? 1 : 3;
    const Shape shape = planar ? Shape{planes, placed->tensor.height, placed->tensor.width}
                               : Shape{placed->tensor.height, placed->tensor.width, planes};
    auto tensor = ctx.allocate_tensor(DType::kF32, shape);
    if (!tensor) return tensor.status();
    if (Status status = fill(ctx, picture, *placed, *tensor); !status) return status;
    if (ctx.wanted(map)) ctx.emit(map, map_of(picture, *placed));
    ctx.emit(out, std::move(*tensor));
    return Status::ok();
  }

 private:
  static void check_sizes(Resolve& plan) {
    const bool fixed = plan.has(width) && plan.has(height);
    const bool one = plan.has(width) != plan.has(height);
    const bool crops = plan.option(fit).word == "crop";
    if (!fixed && plan.option(fit).word != "stretch") {
      plan.option_problem(fit, "SL0221", "`fit` needs both `width` and `height`",
                          "give both, or leave `fit` out");
    }
    if (plan.has(max_width) && (plan.has(width) || !plan.has(height))) {
      plan.option_problem(max_width, "SL0221", "`max_width` goes with `height` and without `width`",
                          "");
    }
    if (plan.has(short_side) && (one || (fixed && !crops))) {
      plan.option_problem(short_side, "SL0221",
                          "`short_side` and a fixed side contradict each other",
                          "leave one out; with width and height, `short_side` needs `fit: crop`");
    }
    if (plan.has(short_side) && fixed && crops &&
        plan.option(short_side) < std::max(plan.option(width), plan.option(height))) {
      plan.option_problem(short_side, "SL0221",
                          "`short_side` is less than the part that is cropped",
                          "make it at least the larger of width and height");
    }
    if (plan.has(long_side) && (one || fixed)) {
      plan.option_problem(long_side, "SL0221", "`long_side` and a fixed side contradict each other",
                          "leave one out");
    }
    if (plan.option(multiple_of) != 1 && (one || fixed)) {
      plan.option_problem(multiple_of, "SL0221",
                          "`multiple_of` and a fixed side contradict each other", "leave one out");
    }
  }

  static Result<Placement> place(const Context& ctx, const Image& picture) {
    const double w = picture.width();
    const double h = picture.height();
    double out_w = 0;
    double out_h = 0;
    if (ctx.has_option(width) && ctx.has_option(height)) {
      return place_fixed(ctx, picture);
    }
    if (ctx.has_option(height)) {
      out_h = static_cast<double>(ctx.option(height));
      out_w = std::ceil(out_h * w / h);
      if (ctx.has_option(max_width))
        out_w = std::min(out_w, static_cast<double>(ctx.option(max_width)));
    } else if (ctx.has_option(width)) {
      out_w = static_cast<double>(ctx.option(width));
      out_h = std::max(1.0, std::nearbyint(out_w * h / w));
    } else {
      double scale = 1;
      if (ctx.has_option(short_side))
        scale = std::max(1.0, static_cast<double>(ctx.option(short_side)) / std::min(w, h));
      if (ctx.has_option(long_side))
        scale = std::min(scale, static_cast<double>(ctx.option(long_side)) / std::max(w, h));
      const std::int64_t step = ctx.option(multiple_of);
      out_w = static_cast<double>(to_multiple(std::floor(w * scale), step));
      out_h = static_cast<double>(to_multiple(std::floor(h * scale), step));
    }
    if (std::max(out_w, out_h) > kMaxSide) {
      return invalid("image.tensor_size",
                     "a picture of " + std::to_string(picture.width()) + " x " +
                         std::to_string(picture.height()) +
                         " pixels would become a tensor with a side of more than " +
                         std::to_string(kMaxSide));
    }
    const cv::Size size(static_cast<int>(out_w), static_cast<int>(out_h));
    return Placement{size, size, {0, 0}};
  }

  static Placement place_fixed(const Context& ctx, const Image& picture) {
    const cv::Size size(static_cast<int>(ctx.option(width)), static_cast<int>(ctx.option(height)));
    const std::string& how = ctx.option(fit).word;
    if (how == "stretch") return {size, size, {0, 0}};
    const double scale_x = static_cast<double>(size.width) / picture.width();
    const double scale_y = static_cast<double>(size.height) / picture.height();
    double scale = how == "crop" ? std::max(scale_x, scale_y) : std::min(scale_x, scale_y);
    if (ctx.has_option(short_side)) {
      scale =
          static_cast<double>(ctx.option(short_side)) / std::min(picture.width(), picture.height());
    }
    // Truncated like torchvision's Resize, but never below what the crop needs.
    const auto scaled_side = [&](int side, int wanted) {
      const int scaled = std::clamp(static_cast<int>(side * scale + 1e-6), 1, kMaxSide);
      return how == "crop" ? std::max(scaled, wanted) : scaled;
    };
    const cv::Size scaled(scaled_side(picture.width(), size.width),
                          scaled_side(picture.height(), size.height));
    const auto middle = [](int larger, int smaller) {
      return static_cast<int>(std::nearbyint((larger - smaller) / 2.0));
    };
    return {scaled, size, {middle(scaled.width, size.width), middle(scaled.height, size.height)}};
  }

  // Scales the part of the picture that the tensor shows, and gives its rows.
  static Status scale(Context& ctx, const Image& picture, const ScaledPart& part,
                      const RowSink& sink) {
    const std::string& how = ctx.option(filter).word;
    if (picture.width() == part.width && picture.height() == part.height) {
      give_rows(picture, part, sink);
    } else if (how == "bilinear") {
      scale_bilinear(picture, part, sink);
    } else if (how == "antialias") {
      scale_antialiased(picture, part, sink);
    } else {
      auto scaled = ctx.allocate_image(part.width, part.height, picture.channels());
      if (!scaled) return scaled.status();
      cv::Mat target = view_of(*scaled);
      cv::resize(view_of(picture), target, target.size(), 0, 0,
                 how == "area"    ? cv::INTER_AREA
                 : how == "cubic" ? cv::INTER_CUBIC
                                  : cv::INTER_NEAREST);
      give_rows(*scaled, part, sink);
    }
    return Status::ok();
  }

  static void give_rows(const Image& picture, const ScaledPart& part, const RowSink& sink) {
    for (int y = 0; y < part.rows; ++y)
      sink(y, picture.row(part.y + y) + part.x * picture.channels());
  }

  // Which byte of a pixel a channel of the tensor is made from.
  static std::array<int, 3> source_channels(const Image& picture, const std::string& order) {
    if (picture.channels() < 3) return {0, 0, 0};
    return order == "bgr" ? std::array{2, 1, 0} : std::array{0, 1, 2};
  }

  static Status fill(Context& ctx, const Image& picture, const Placement& placed,
                     const Tensor& tensor) {
    const cv::Rect window(placed.offset, placed.tensor);
    const cv::Rect part = window & cv::Rect(cv::Point(), placed.scaled);
    if (part != window) std::fill_n(tensor.data<float>(), tensor.elements(), 0.0F);

    const std::string& order = ctx.option(channels).word;
    const bool planar = ctx.option(layout).word == "chw";
    const int planes = order == "grey" ? 1 : 3;
    const auto from = source_channels(picture, order);
    const bool mixes = order == "grey" && picture.channels() >= 3;
    const std::ptrdiff_t pixel_step = planar ? 1 : planes;
    const int step = picture.channels();
    const auto normalize = [&](int y, const std::uint8_t* pixels) {
      const std::ptrdiff_t row = part.y + y - window.y;
      const std::ptrdiff_t column = part.x - window.x;
      for (int c = 0; c < planes; ++c) {
        const Scale scale = scale_of(ctx, c);
        float* to = tensor.data<float>() +
                    (planar ? (c * placed.tensor.height + row) * placed.tensor.width + column
                            : (row * placed.tensor.width + column) * planes + c);
        if (mixes)
          normalize_grey(pixels, step, part.width, scale, to, pixel_step);
        else
          normalize_row(pixels + from[static_cast<std::size_t>(c)], step, part.width, scale, to,
                        pixel_step);
      }
    };
    const ScaledPart scaled{placed.scaled.width, placed.scaled.height, part.x, part.y,
                            part.width,          part.height};
    return scale(ctx, picture, scaled, std::cref(normalize));
  }

  // A byte becomes byte * factor + bias.
  struct Scale {
    float factor;
    float bias;
  };

  static Scale scale_of(const Context& ctx, int channel) {
    const double mean_value = at_channel(ctx.option(mean), channel);
    const double std_value = at_channel(ctx.option(std_dev), channel);
    return {static_cast<float>(1.0 / (255.0 * std_value)),
            static_cast<float>(-mean_value / std_value)};
  }

  static void normalize_row(const std::uint8_t* pixel, int step, int count, Scale scale, float* to,
                            std::ptrdiff_t to_step) {
    // The usual case with its step as a constant, which the compiler makes vector code of.
    if (step == 3 && to_step == 1) {
      for (int x = 0; x < count; ++x)
        to[x] = static_cast<float>(pixel[3 * x]) * scale.factor + scale.bias;
      return;
    }
    for (int x = 0; x < count; ++x, pixel += step, to += to_step)
      *to = static_cast<float>(*pixel) * scale.factor + scale.bias;
  }

  static void normalize_grey(const std::uint8_t* pixel, int step, int count, Scale scale, float* to,
                             std::ptrdiff_t to_step) {
    for (int x = 0; x < count; ++x, pixel += step, to += to_step) {
      const float grey = 0.299F * pixel[0] + 0.587F * pixel[1] + 0.114F * pixel[2];
      *to = grey * scale.factor + scale.bias;
    }
  }

  static double at_channel(const NumberList& numbers, int channel) {
    return numbers.size() == 1 ? numbers[0] : numbers[static_cast<std::size_t>(channel)];
  }

  static ImageMap map_of(const Image& picture, const Placement& placed) {
    ImageMap map;
    map.scale_x = static_cast<float>(picture.width()) / static_cast<float>(placed.scaled.width);
    map.scale_y = static_cast<float>(picture.height()) / static_cast<float>(placed.scaled.height);
    map.offset_x = static_cast<float>(placed.offset.x) * map.scale_x;
    map.offset_y = static_cast<float>(placed.offset.y) * map.scale_y;
    map.image_width = picture.width();
    map.image_height = picture.height();
    return map;
  }
};

[[maybe_unused]] const bool kRegistered = register_node<ToTensor>();

}  // namespace
}  // namespace sluice
