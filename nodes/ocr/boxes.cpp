// ocr.boxes: finds the lines of text in a detector's map of probabilities.
//   det:   { type: infer, from: det_in, model: ./det.onnx }
//   boxes: { type: ocr.boxes, from: { prob: det, map: det_in.map } }
//   box:   { type: split, from: boxes }
// For detectors of the DB kind ("Real-time Scene Text Detection with Differentiable Binarization",
// Liao and others, 2020), PP-OCR's among them. Lower `threshold` and `min_score` for faint text,
// raise `unclip` where letters are cut off. Related: ocr.ctc, image.crop_quad.
#include "sluice/core/registry.h"

#include <opencv2/imgproc.hpp>
#include <polyclipping/clipper.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace sluice {
namespace {

using Corners = std::array<cv::Point2f, 4>;

// Clockwise from the top left: the left two by height, then the right two.
void put_in_order(Corners& corners) {
  std::stable_sort(corners.begin(), corners.end(), [](auto a, auto b) { return a.x < b.x; });
  const bool left_swapped = corners[1].y <= corners[0].y;
  const bool right_swapped = corners[3].y <= corners[2].y;
  corners = {corners[left_swapped ? 1 : 0], corners[right_swapped ? 3 : 2],
             corners[right_swapped ? 2 : 3], corners[left_swapped ? 0 : 1]};
}

struct Box {
  Corners corners;
  float short_side;
};

Box box_around(const std::vector<cv::Point>& points) {
  const cv::RotatedRect rect = cv::minAreaRect(points);
  Box box{{}, std::min(rect.size.width, rect.size.height)};
  rect.points(box.corners.data());
  put_in_order(box.corners);
  return box;
}

// The mean of the map within the box.
double score_of(const cv::Mat& map, const Corners& corners) {
  const auto [left, right] = std::ranges::minmax(corners, {}, &cv::Point2f::x);
  const auto [top, bottom] = std::ranges::minmax(corners, {}, &cv::Point2f::y);
  const int x0 = std::clamp(static_cast<int>(std::floor(left.x)), 0, map.cols - 1);
  const int x1 = std::clamp(static_cast<int>(std::ceil(right.x)), 0, map.cols - 1);
  const int y0 = std::clamp(static_cast<int>(std::floor(top.y)), 0, map.rows - 1);
  const int y1 = std::clamp(static_cast<int>(std::ceil(bottom.y)), 0, map.rows - 1);
  const cv::Rect part(x0, y0, x1 - x0 + 1, y1 - y0 + 1);
  std::vector<cv::Point> polygon;
  for (const cv::Point2f& corner : corners) {
    polygon.emplace_back(static_cast<int>(corner.x - static_cast<float>(x0)),
                         static_cast<int>(corner.y - static_cast<float>(y0)));
  }
  cv::Mat mask = cv::Mat::zeros(part.size(), CV_8U);
  cv::fillPoly(mask, std::vector<std::vector<cv::Point>>{polygon}, cv::Scalar(1));
  return cv::mean(map(part), mask)[0];
}

// The outline moved outwards by area * ratio / perimeter: the detector learned shrunken lines.
std::vector<cv::Point> grown(const Corners& corners, double ratio) {
  double area = 0;
  double perimeter = 0;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const cv::Point2d a = corners[i];
    const cv::Point2d b = corners[(i + 1) % corners.size()];
    area += a.x * b.y - b.x * a.y;
    perimeter += std::hypot(b.x - a.x, b.y - a.y);
  }
  ClipperLib::Path path;
  for (const cv::Point2f& corner : corners) {
    path.emplace_back(static_cast<ClipperLib::cInt>(corner.x),
                      static_cast<ClipperLib::cInt>(corner.y));
  }
  ClipperLib::ClipperOffset offset;
  offset.AddPath(path, ClipperLib::jtRound, ClipperLib::etClosedPolygon);
  ClipperLib::Paths paths;
  offset.Execute(paths, std::abs(area) / 2 * ratio / perimeter);
  std::vector<cv::Point> points;
  for (const ClipperLib::Path& part : paths) {
    for (const ClipperLib::IntPoint& point : part) {
      points.emplace_back(static_cast<int>(point.X), static_cast<int>(point.Y));
    }
  }
  return points;
}

float distance(const Point& a, const Point& b) { return std::hypot(a.x - b.x, a.y - b.y); }

// Rows from top to bottom, each from left to right. A row ends where the next box begins `row_gap`
// pixels or more below the one before it.
void sort_for_reading(std::vector<Quad>& quads, float row_gap) {
  std::ranges::stable_sort(quads, {}, [](const Quad& q) { return q.corners[0].y; });
  auto row = quads.begin();
  while (row != quads.end()) {
    auto end = row + 1;
    while (end != quads.end() && end->corners[0].y - (end - 1)->corners[0].y < row_gap) ++end;
    std::stable_sort(row, end,
                     [](const Quad& a, const Quad& b) { return a.corners[0].x < b.corners[0].x; });
    row = end;
  }
}

class Boxes final : public Node {
 public:
  inline static const In<Tensor> prob{"prob",
                                      "f32 [1,H,W] or [H,W]: how likely each pixel is text, 0..1"};
  inline static const In<ImageMap> map{"map",
                                       "how the tensor lies on the page: image.to_tensor's `map`"};
  inline static const Out<List<Quad>> out{
      "out", "the lines' corners in pixels of the page, in reading order"};
  inline static const Option<double> threshold =
      Option<double>("threshold", "a pixel is text above it, 0..1").range(0, 1).or_default(0.3);
  inline static const Option<double> min_score =
      Option<double>("min_score", "a line whose mean probability is less is left out, 0..1")
          .range(0, 1)
          .or_default(0.5);
  inline static const Option<double> unclip =
      Option<double>("unclip", "how far boxes grow: by area x unclip / perimeter")
          .range(0, 10)
          .or_default(1.6);
  inline static const Option<bool> dilate =
      Option<bool>("dilate", "true: join pixels of text that a gap of one separates")
          .or_default(true);
  inline static const Option<double> row_gap =
      Option<double>("row_gap",
                     "boxes that begin less apart in height are of one row, pixels of the page")
          .range(0, 1000)
          .or_default(10);
  inline static const Option<int> max_boxes =
      Option<int>("max_boxes", "outlines looked at; a page with more loses the rest")
          .range(1, 1e6)
          .or_default(1000);
  inline static const Spec kSpec =
      Spec("ocr.boxes", "Finds the lines of text in a detector's map of probabilities.")
          .ports(prob, map, out)
          .options(threshold, min_score, unclip, dilate, row_gap, max_boxes)
          .stateless()
          .notes(
              "For detectors of the DB kind, PP-OCR's among them. Reading order: rows from top to "
              "bottom, each from left to right. A page without text gives an empty list. "
              "Related: image.to_tensor, split, image.crop_quad, ocr.ctc.")
          .rejects("ocr.shape", "the tensor is no [1,H,W] or [H,W]")
          .example(R"(nodes:
  det_in: { type: image.to_tensor, from: page, short_side: 736, multiple_of: 32, mean: 0.5, std: 0.5 }
  det:    { type: infer, from: det_in, model: ./det.onnx }
  boxes:  { type: ocr.boxes, from: { prob: det, map: det_in.map }, threshold: 0.3, min_score: 0.5 }
)");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    ports.inputs[prob.index()].type.tensor = TensorType{DType::kF32, std::nullopt, ""};
    const PortType* wired = plan.wired(prob);
    if (!wired || !wired->tensor || !wired->tensor->dims) return ports;
    const std::vector<Dim>& dims = *wired->tensor->dims;
    const bool fits =
        dims.size() == 2 || (dims.size() == 3 && (!dims[0].is_static() || dims[0].size == 1));
    if (!fits) {
      plan.input_problem(
          prob.name(), "SL0403",
          "ocr.boxes takes probabilities of [1,H,W], and this is " + wired->to_string(),
          "wire the detector's map of probabilities to it");
    }
    return ports;
  }

  Status open(Context&, std::size_t) override {
    cv::setNumThreads(1);  // the pool's threads are all there should be
    return Status::ok();
  }

  Status process(Context& ctx) override {
    const Tensor& tensor = ctx.get(prob);
    const Shape& shape = tensor.shape();
    const std::size_t rank = shape.rank();
    if (rank < 2 || rank > 3 || (rank == 3 && shape[0] != 1) || tensor.elements() == 0 ||
        tensor.dtype() != DType::kF32 || !tensor.is_contiguous()) {
      return invalid("ocr.shape",
                     "probabilities of " + shape.to_string() + ", expected f32 [1,H,W]");
    }
    const cv::Mat map_view(static_cast<int>(shape[rank - 2]), static_cast<int>(shape[rank - 1]),
                           CV_32F, tensor.data<float>());
    std::vector<Quad> quads;
    for (const std::vector<cv::Point>& outline : outlines(ctx, map_view)) {
      if (auto quad = quad_of(ctx, map_view, outline)) quads.push_back(*quad);
    }
    sort_for_reading(quads, static_cast<float>(ctx.option(row_gap)));
    List<Quad> list;
    list.reserve(quads.size());
    for (const Quad& quad : quads) list.push_back(quad);
    ctx.emit(out, std::move(list));
    return Status::ok();
  }

 private:
  // Sides below these are specks, not text: in pixels of the map before and after growing, and of
  // the page.
  static constexpr float kMinSide = 3;
  static constexpr float kMinGrownSide = 5;
  static constexpr int kMinPageSide = 3;

  static std::vector<std::vector<cv::Point>> outlines(const Context& ctx, const cv::Mat& map_view) {
    cv::Mat mask = map_view > ctx.option(threshold);
    if (ctx.option(dilate)) {
      cv::Mat wider;
      cv::dilate(mask, wider, cv::Mat::ones(2, 2, CV_8U));
      mask = std::move(wider);
    }
    std::vector<std::vector<cv::Point>> outlines;
    cv::findContours(mask, outlines, cv::RETR_LIST, cv::CHAIN_APPROX_SIMPLE);
    const auto most = static_cast<std::size_t>(ctx.option(max_boxes));
    if (outlines.size() > most) {
      ctx.log().warning(ctx.key() + ": " + std::to_string(outlines.size()) +
                        " outlines, of which max_boxes = " + std::to_string(most) +
                        " are looked at");
      outlines.resize(most);
    }
    return outlines;
  }

  static std::optional<Quad> quad_of(const Context& ctx, const cv::Mat& map_view,
                                     const std::vector<cv::Point>& outline) {
    const Box box = box_around(outline);
    if (box.short_side < kMinSide) return std::nullopt;
    const double score = score_of(map_view, box.corners);
    if (score < ctx.option(min_score)) return std::nullopt;
    const std::vector<cv::Point> points = grown(box.corners, ctx.option(unclip));
    if (points.empty()) return std::nullopt;
    const Box larger = box_around(points);
    if (larger.short_side < kMinGrownSide) return std::nullopt;
    Quad quad = on_page(larger.corners, ctx.get(map));
    quad.score = static_cast<float>(score);
    const bool speck =
        static_cast<int>(distance(quad.corners[0], quad.corners[1])) <= kMinPageSide ||
        static_cast<int>(distance(quad.corners[0], quad.corners[3])) <= kMinPageSide;
    return speck ? std::nullopt : std::optional(quad);
  }

  // In whole pixels of the page, within it.
  static Quad on_page(Corners corners, const ImageMap& map) {
    const auto width = static_cast<float>(map.image_width);
    const auto height = static_cast<float>(map.image_height);
    for (cv::Point2f& corner : corners) {
      corner.x = std::clamp(std::nearbyint(corner.x * map.scale_x + map.offset_x), 0.0F, width);
      corner.y = std::clamp(std::nearbyint(corner.y * map.scale_y + map.offset_y), 0.0F, height);
    }
    put_in_order(corners);
    Quad quad;
    for (std::size_t i = 0; i < corners.size(); ++i) {
      quad.corners[i] = {std::min(corners[i].x, width - 1), std::min(corners[i].y, height - 1)};
    }
    return quad;
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Boxes>();

}  // namespace
}  // namespace sluice
