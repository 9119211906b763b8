// image.annotate: draws the outlines of lines or boxes on a picture.
//   drawn:  { type: image.annotate, from: { image: page, lines: lines } }
//   images: { type: image.write, from: drawn, path: "./out/${item.stem}.png" }
// For people to see what was found. Related: ocr.boxes, gather, image.write.
#include "sluice/core/registry.h"
#include "sluice/nodes/image/opencv.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sluice {
namespace {

// Lines are placed to a sixteenth of a pixel.
constexpr int kFractionBits = 4;
constexpr double kFraction = 1 << kFractionBits;

// What everything on one picture is drawn with.
struct Pen {
  cv::Scalar colour;
  int thickness;
};

// OpenCV's smooth lines come out a good pixel wider than it is told.
int opencv_thickness(const Pen& pen) { return std::max(1, pen.thickness - 1); }

// The part of an edge that can be seen, or nothing. OpenCV counts positions in 32 bits and a quad
// may lie anywhere.
void draw_edge(cv::Mat& picture, const Point& from, const Point& to, const Pen& pen) {
  // A corner of whole numbers is drawn at the middle of its pixel, half a pixel from where it lies:
  // that keeps upright outlines sharp, and those along the edge of the picture in sight.
  const auto place = [](float v) {
    constexpr double kFar = 1e12;
    return std::llround(std::clamp(static_cast<double>(v), -kFar, kFar) * kFraction);
  };
  const std::int64_t margin = (pen.thickness + 2) * static_cast<std::int64_t>(kFraction);
  const auto extent = [&](int side) {
    return side * static_cast<std::int64_t>(kFraction) + 2 * margin;
  };
  cv::Point2l a(place(from.x) + margin, place(from.y) + margin);
  cv::Point2l b(place(to.x) + margin, place(to.y) + margin);
  if (!cv::clipLine(cv::Size2l(extent(picture.cols), extent(picture.rows)), a, b)) return;
  const auto drawn_at = [&](const cv::Point2l& p) {
    return cv::Point(static_cast<int>(p.x - margin), static_cast<int>(p.y - margin));
  };
  cv::line(picture, drawn_at(a), drawn_at(b), pen.colour, opencv_thickness(pen), cv::LINE_AA,
           kFractionBits);
}

// Beside the outline, where it covers least text: left of it, or right of it where that is outside
// of the picture.
void draw_number(cv::Mat& picture, std::size_t number, const Quad& quad, const Pen& pen) {
  const std::string text = std::to_string(number);
  const double scale = 0.25 + 0.15 * pen.thickness;
  const int stroke = std::max(1, pen.thickness / 2);
  int baseline = 0;
  const cv::Size size = cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, scale, stroke, &baseline);
  const auto [left, right] = std::ranges::minmax(quad.corners, {}, &Point::x);
  const auto [top, bottom] = std::ranges::minmax(quad.corners, {}, &Point::y);
  const auto whole = [](float v, int low, int high) {
    return static_cast<int>(
        std::clamp(v, static_cast<float>(low), static_cast<float>(std::max(low, high))));
  };
  const auto gap = static_cast<float>(2 * pen.thickness + size.width);
  const float beside =
      left.x >= gap ? left.x - gap : right.x + static_cast<float>(2 * pen.thickness);
  const float middle = top.y / 2 + bottom.y / 2 + static_cast<float>(size.height) / 2;
  const cv::Point at(whole(beside, 0, picture.cols - size.width),
                     whole(middle, size.height, picture.rows - 1));
  cv::putText(picture, text, at, cv::FONT_HERSHEY_SIMPLEX, scale, pen.colour, stroke, cv::LINE_AA);
}

class Annotate final : public Node {
 public:
  inline static const In<Image> image{"image", "the picture; it is copied, not drawn on"};
  inline static const In<List<TextLine>> lines =
      In<List<TextLine>>("lines", "lines of text, whose outlines are drawn").optional();
  inline static const In<List<Quad>> boxes =
      In<List<Quad>>("boxes", "four-cornered regions to draw").optional();
  inline static const Out<Image> out{"out", "the picture with the outlines; a grey one in colour"};
  inline static const Option<NumberList> colour =
      Option<NumberList>("colour", "[red, green, blue], 0..255; one number: a grey")
          .range(0, 255)
          .or_default({230, 0, 80});
  inline static const Option<int> thickness =
      Option<int>("thickness",
                  "of the outlines, pixels; default: the picture's shorter side / 400, at least 1")
          .range(1, 255);
  inline static const Option<bool> number =
      Option<bool>("number", "true: write beside each outline its place in the list, from 0")
          .or_default(false);
  inline static const Spec kSpec =
      Spec("image.annotate", "Draws the outlines of lines or boxes on a picture.")
          .ports(image, lines, boxes, out)
          .options(colour, thickness, number)
          .stateless()
          .notes(
              "Needs `lines`, `boxes` or both; lines are drawn last. Corners are in pixels of the "
              "picture; what lies outside of it is not seen. The text itself is not written: the "
              "fonts at hand know only ASCII. `number: true` says which line of the list each "
              "outline is. Related: ocr.boxes, gather, image.write.")
          .rejects("image.quad", "a corner is no number")
          .example(R"(nodes:
  lines:  { type: gather, from: line }
  drawn:  { type: image.annotate, from: { image: page, lines: lines }, colour: [0, 120, 255] }
  images: { type: image.write, from: drawn, path: "./annotated/${item.stem}.png" }
)");

  Result<Ports> resolve(Resolve& plan) override {
    if (!plan.wired(lines) && !plan.wired(boxes)) {
      plan.input_problem(lines.name(), "SL0304", "nothing is wired to `lines` or `boxes`",
                         "wire what is to be drawn: `from: { image: page, lines: lines }`");
    }
    const std::size_t given = plan.option(colour).size();
    if (given != 1 && given != 3) {
      plan.option_problem(colour, "SL0207", "`colour` has " + std::to_string(given) + " numbers",
                          "give [red, green, blue], or one number for a grey");
    }
    return plan.declared();
  }

  Status open(Context&, std::size_t) override {
    use_one_opencv_thread();
    return Status::ok();
  }

  Status process(Context& ctx) override {
    std::vector<const Quad*> quads;
    if (ctx.has(boxes)) {
      const ListView<Quad> given = ctx.get(boxes);
      for (std::size_t i = 0; i < given.size(); ++i) quads.push_back(&given[i]);
    }
    const std::size_t first_line = quads.size();
    if (ctx.has(lines)) {
      const ListView<TextLine> given = ctx.get(lines);
      for (std::size_t i = 0; i < given.size(); ++i) quads.push_back(&given[i].quad);
    }
    if (Status status = check(quads, first_line); !status) return status;

    auto drawn = copy_in_colour(ctx, ctx.get(image));
    if (!drawn) return drawn.status();
    cv::Mat picture = view_of(*drawn);
    const Pen pen = pen_for(ctx, *drawn);
    for (std::size_t i = 0; i < quads.size(); ++i) {
      const auto& corners = quads[i]->corners;
      for (std::size_t k = 0; k < corners.size(); ++k) {
        draw_edge(picture, corners[k], corners[(k + 1) % corners.size()], pen);
      }
      if (ctx.option(number)) {
        draw_number(picture, i < first_line ? i : i - first_line, *quads[i], pen);
      }
    }
    ctx.emit(out, std::move(*drawn));
    return Status::ok();
  }

 private:
  static Status check(const std::vector<const Quad*>& quads, std::size_t first_line) {
    for (std::size_t i = 0; i < quads.size(); ++i) {
      if (std::ranges::all_of(quads[i]->corners, [](const Point& p) {
            return std::isfinite(p.x) && std::isfinite(p.y);
          })) {
        continue;
      }
      const std::string which =
          i < first_line ? "box " + std::to_string(i) : "line " + std::to_string(i - first_line);
      return invalid("image.quad", "a corner of " + which + " is no number");
    }
    return Status::ok();
  }

  static Result<Image> copy_in_colour(Context& ctx, const Image& picture) {
    const int channels = std::max(3, picture.channels());
    auto copy = ctx.allocate_image(picture.width(), picture.height(), channels);
    if (!copy) return copy;
    cv::Mat target = view_of(*copy);
    if (picture.channels() == 1) {
      cv::cvtColor(view_of(picture), target, cv::COLOR_GRAY2RGB);
    } else {
      view_of(picture).copyTo(target);
    }
    return copy;
  }

  static Pen pen_for(const Context& ctx, const Image& picture) {
    const NumberList& given = ctx.option(colour);
    const auto part = [&](std::size_t i) { return given.size() == 1 ? given[0] : given[i]; };
    const int usual = std::max(1, std::min(picture.width(), picture.height()) / 400);
    return {{part(0), part(1), part(2), 255},
            ctx.has_option(thickness) ? static_cast<int>(ctx.option(thickness)) : usual};
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Annotate>();

}  // namespace
}  // namespace sluice
