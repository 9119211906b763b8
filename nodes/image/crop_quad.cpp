// image.crop_quad: cuts a four-cornered region out of a picture and makes it a rectangle.
//   box:  { type: split, from: boxes }
//   crop: { type: image.crop_quad, from: { image: page, quad: box } }
// The picture is repeated for each box without a copy. Related: ocr.boxes, split.
#include "sluice/core/registry.h"
#include "sluice/nodes/image/opencv.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>

namespace sluice {
namespace {

// Taps of the cubic filter beyond the region, and one more for rounding.
constexpr int kMargin = 4;
// OpenCV counts positions in the picture with 16 bits.
constexpr int kMaxSide = 32000;

// In square pixels, whichever way round the corners go; of corners on one line, 0.
float area_of(const std::array<Point, 4>& corners) {
  const auto cross = [](const Point& from, const Point& a, const Point& b) {
    return (a.x - from.x) * (b.y - from.y) - (a.y - from.y) * (b.x - from.x);
  };
  return std::abs(cross(corners[0], corners[1], corners[2]) +
                  cross(corners[0], corners[2], corners[3])) /
         2;
}

float distance(const Point& a, const Point& b) { return std::hypot(a.x - b.x, a.y - b.y); }

class CropQuad final : public Node {
 public:
  inline static const In<Image> image{"image", "the picture"};
  inline static const In<Quad> quad{"quad",
                                    "four corners in its pixels, clockwise from the top left"};
  inline static const Out<Image> out{"out",
                                     "the region, upright, about as large as in the picture"};
  inline static const Option<double> turn_tall =
      Option<double>("turn_tall",
                     "a region at least so many times as high as wide is turned a quarter to the "
                     "left; 0: never")
          .range(0, 1000)
          .or_default(1.5);
  inline static const Spec kSpec =
      Spec("image.crop_quad",
           "Cuts a four-cornered region out of a picture and makes it a rectangle.")
          .ports(image, quad, out)
          .options(turn_tall)
          .stateless()
          .notes(
              "Perspective is taken out; pixels between pixels are interpolated by a cubic. Parts "
              "beyond the edge repeat it. Related: ocr.boxes, split, image.to_tensor.")
          .rejects("image.crop_size",
                   "the region has no area, lies beyond the picture, or has a side of more than "
                   "32000 pixels")
          .example(R"(nodes:
  box:  { type: split, from: boxes }
  crop: { type: image.crop_quad, from: { image: page, quad: box } }
)");

  Status open(Context&, std::size_t) override {
    use_one_opencv_thread();
    return Status::ok();
  }

  Status process(Context& ctx) override {
    const Image& page = ctx.get(image);
    const auto& corners = ctx.get(quad).corners;
    if (!std::ranges::all_of(
            corners, [](const Point& p) { return std::isfinite(p.x) && std::isfinite(p.y); })) {
      return invalid("image.crop_size", "a corner of the region is no number");
    }
    const float wide = std::max(distance(corners[0], corners[1]), distance(corners[2], corners[3]));
    const float high = std::max(distance(corners[0], corners[3]), distance(corners[1], corners[2]));
    const cv::Rect part = surroundings(page, corners);
    if (part.empty()) return invalid("image.crop_size", "the region lies beyond the picture");
    if (wide < 1 || high < 1 || area_of(corners) < 1 || std::max(wide, high) > kMaxSide ||
        std::max(part.width, part.height) > kMaxSide) {
      return invalid("image.crop_size", "the region is " + std::to_string(wide) + " x " +
                                            std::to_string(high) + " pixels, " +
                                            std::to_string(area_of(corners)) + " in area");
    }
    const int width = static_cast<int>(wide);
    const int height = static_cast<int>(high);
    const double tall = ctx.option(turn_tall);
    const bool turn = tall > 0 && height >= tall * width;
    auto crop = ctx.allocate_image(turn ? height : width, turn ? width : height, page.channels());
    if (!crop) return crop.status();

    // Turning is another order of the target's corners, not a second pass over the pixels.
    const auto w = static_cast<float>(width);
    const auto h = static_cast<float>(height);
    const std::array<cv::Point2f, 4> upright{{{0, 0}, {w, 0}, {w, h}, {0, h}}};
    std::array<cv::Point2f, 4> from;
    std::array<cv::Point2f, 4> to = upright;
    for (std::size_t i = 0; i < 4; ++i) {
      from[i] = to_opencv(corners[i]) -
                cv::Point2f(static_cast<float>(part.x), static_cast<float>(part.y));
      if (turn) to[i] = {upright[i].y, w - 1 - upright[i].x};
    }
    cv::Mat target = view_of(*crop);
    cv::warpPerspective(view_of(page)(part), target, cv::getPerspectiveTransform(from, to),
                        target.size(), cv::INTER_CUBIC, cv::BORDER_REPLICATE);
    ctx.emit(out, std::move(*crop));
    return Status::ok();
  }

 private:
  // The part of the picture that the region's pixels are made of.
  static cv::Rect surroundings(const Image& page, const std::array<Point, 4>& corners) {
    const auto [left, right] = std::ranges::minmax(corners, {}, &Point::x);
    const auto [top, bottom] = std::ranges::minmax(corners, {}, &Point::y);
    const auto clamp = [](float v, int limit) {
      return static_cast<int>(std::clamp(v, 0.0F, static_cast<float>(limit)));
    };
    const int x0 = clamp(std::floor(left.x) - kMargin, page.width());
    const int x1 = clamp(std::ceil(right.x) + kMargin + 1, page.width());
    const int y0 = clamp(std::floor(top.y) - kMargin, page.height());
    const int y1 = clamp(std::ceil(bottom.y) + kMargin + 1, page.height());
    return {x0, y0, std::max(0, x1 - x0), std::max(0, y1 - y0)};
  }
};

[[maybe_unused]] const bool kRegistered = register_node<CropQuad>();

}  // namespace
}  // namespace sluice
