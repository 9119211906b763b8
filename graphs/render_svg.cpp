#include "sluice/graphs/render.h"

#include <algorithm>
#include <cstdio>

namespace sluice {
namespace {

constexpr double kCharWidth = 7.2;  // of 12 px monospace
constexpr double kBoxHeight = 40;
constexpr double kRowGap = 28;
constexpr double kLayerGap = 120;
constexpr double kMargin = 20;

struct Box {
  std::size_t layer = 0;
  double row = 0;  // while ordering: the place within the layer
  double x = 0;
  double y = 0;
  double width = 0;
};

std::string xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string format(const char* pattern, double a, double b, double c = 0, double d = 0) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, pattern, a, b, c, d);
  return buffer;
}

// A node's layer is its longest way from a source; within a layer nodes stand near the mean row of
// those they read from (the barycentre method, one sweep forward and one back, three times).
class Layout {
 public:
  explicit Layout(const Plan& plan) : plan_(plan), boxes_(plan.nodes.size()) {
    for (const PlanEdge& edge :
         plan.edges) {  // nodes stand in topological order, edges by their reader
      boxes_[edge.to_node].layer =
          std::max(boxes_[edge.to_node].layer, boxes_[edge.from_node].layer + 1);
    }
    for (std::size_t i = 0; i < boxes_.size(); ++i) {
      const PlanNode& node = plan.nodes[i];
      boxes_[i].width = 20 + kCharWidth * static_cast<double>(std::max(node.name.size(),
                                                                       node.spec().type().size()));
      layers_.resize(std::max(layers_.size(), boxes_[i].layer + 1));
      layers_[boxes_[i].layer].push_back(i);
    }
    number_rows();
    for (int sweep = 0; sweep < 3; ++sweep) {
      for (auto& layer : layers_) order(layer, true);
      for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) order(*layer, false);
    }
    place();
  }

  const std::vector<Box>& boxes() const { return boxes_; }
  double width() const { return width_; }
  double height() const { return height_; }

 private:
  void number_rows() {
    for (const auto& layer : layers_) {
      for (std::size_t i = 0; i < layer.size(); ++i) boxes_[layer[i]].row = static_cast<double>(i);
    }
  }

  void order(std::vector<std::size_t>& layer, bool by_writers) {
    std::vector<std::pair<double, std::size_t>> wanted;
    for (const std::size_t node : layer) {
      double sum = 0;
      int count = 0;
      for (const PlanEdge& edge : plan_.edges) {
        if ((by_writers ? edge.to_node : edge.from_node) != node) continue;
        sum += boxes_[by_writers ? edge.from_node : edge.to_node].row;
        ++count;
      }
      wanted.emplace_back(count > 0 ? sum / count : boxes_[node].row, node);
    }
    std::stable_sort(wanted.begin(), wanted.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < layer.size(); ++i) {
      layer[i] = wanted[i].second;
      boxes_[layer[i]].row = static_cast<double>(i);
    }
  }

  void place() {
    std::size_t rows = 0;
    for (const auto& layer : layers_) rows = std::max(rows, layer.size());
    height_ = 2 * kMargin + static_cast<double>(rows) * (kBoxHeight + kRowGap) - kRowGap;
    double x = kMargin;
    for (const auto& layer : layers_) {
      const double used = static_cast<double>(layer.size()) * (kBoxHeight + kRowGap) - kRowGap;
      double widest = 0;
      for (std::size_t i = 0; i < layer.size(); ++i) {
        Box& box = boxes_[layer[i]];
        box.x = x;
        box.y = (height_ - used) / 2 + static_cast<double>(i) * (kBoxHeight + kRowGap);
        widest = std::max(widest, box.width);
      }
      x += widest + kLayerGap;
    }
    width_ = x - kLayerGap + kMargin;
  }

  const Plan& plan_;
  std::vector<Box> boxes_;
  std::vector<std::vector<std::size_t>> layers_;
  double width_ = 0;
  double height_ = 0;
};

std::string draw_edge(const Plan& plan, const PlanEdge& edge, const Box& from, const Box& to) {
  const double x1 = from.x + from.width;
  const double y1 = from.y + kBoxHeight / 2;
  const double x2 = to.x;
  const double y2 = to.y + kBoxHeight / 2;
  const double bend = std::max(40.0, (x2 - x1) / 2);
  std::string out = "<path class=\"edge\" d=\"M" +
                    format("%.0f %.0f C%.0f %.0f ", x1, y1, x1 + bend, y1) +
                    format("%.0f %.0f %.0f %.0f", x2 - bend, y2, x2, y2) + "\"><title>" +
                    xml(plan.nodes[edge.from_node].name + " -> " + plan.nodes[edge.to_node].name +
                        ": " + edge.type.to_string()) +
                    "</title></path>\n";
  // The payload's name alone fits between two layers; the rest shows on hovering.
  if (to.layer == from.layer + 1 && edge.type.payload) {
    out += "<text class=\"type\" x=\"" +
           format("%.0f\" y=\"%.0f", (x1 + x2) / 2, (y1 + y2) / 2 - 5) + "\">" +
           xml(edge.type.payload->name) + "</text>\n";
  }
  return out;
}

}  // namespace

std::string render_svg(const Plan& plan) {
  const Layout layout(plan);
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" +
      format("%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n", layout.width(), layout.height(),
             layout.width(), layout.height()) +
      "<title>" + xml(plan.name) +
      "</title>\n"
      "<style>text{font:12px monospace;text-anchor:middle;fill:#1b2733}.name{font-weight:bold}"
      ".kind,.type{fill:#5b6b7b;font-size:11px}.node{fill:#eef4fb;stroke:#4a7ab5;rx:6px}"
      ".edge{fill:none;stroke:#7a8a9a;stroke-width:1.4;marker-end:url(#tip)}</style>\n"
      "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" "
      "markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" "
      "fill=\"#7a8a9a\"/></marker></defs>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  for (const PlanEdge& edge : plan.edges) {
    out += draw_edge(plan, edge, layout.boxes()[edge.from_node], layout.boxes()[edge.to_node]);
  }
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const Box& box = layout.boxes()[i];
    const double middle = box.x + box.width / 2;
    out += "<rect class=\"node\" rx=\"6\" x=\"" +
           format("%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\"/>\n", box.x, box.y, box.width,
                  kBoxHeight);
    out += "<text class=\"name\" x=\"" + format("%.0f\" y=\"%.0f\">", middle, box.y + 17) +
           xml(plan.nodes[i].name) + "</text>\n";
    out += "<text class=\"kind\" x=\"" + format("%.0f\" y=\"%.0f\">", middle, box.y + 32) +
           xml(plan.nodes[i].spec().type()) + "</text>\n";
  }
  return out + "</svg>\n";
}

}  // namespace sluice
