#include "sluice/graphs/render.h"

#include <algorithm>
#include <cstdio>

namespace sluice {
namespace {

// Lengths in px.
constexpr double kCharWidth = 7.3;  // of 12 px monospace, bold
constexpr double kTypeWidth = 6.7;  // of 11 px monospace
constexpr double kBoxHeight = 40;
constexpr double kBoxGap = 56;  // a type on each side fits
constexpr double kLaneWidth = 30;
constexpr double kLayerGap = 48;
constexpr double kMargin = 20;

// A node, or the lane on which an edge passes a layer that it has no node in.
struct Slot {
  double width = 0;
  double x = 0;                    // of its middle
  std::vector<std::size_t> above;  // slots of the layer before that it is joined to
  std::vector<std::size_t> below;
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

std::string format(const char* pattern, double a, double b = 0, double c = 0, double d = 0) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, pattern, a, b, c, d);
  return buffer;
}

// Layers from the top down, after Sugiyama, Tagawa and Toda (1981): a node's layer is its longest
// way from a source, an edge over several layers gets a lane in each, slots are ordered by the mean
// place of their neighbours and then moved towards it.
class Layout {
 public:
  explicit Layout(const Plan& plan) : layer_of_(plan.nodes.size()) {
    // Nodes stand in topological order, edges by their reader.
    for (const PlanEdge& edge : plan.edges) {
      layer_of_[edge.to_node] = std::max(layer_of_[edge.to_node], layer_of_[edge.from_node] + 1);
    }
    for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
      const PlanNode& node = plan.nodes[i];
      const std::size_t longest = std::max(node.name.size(), node.spec().type().size());
      add_slot(layer_of_[i], 20 + kCharWidth * static_cast<double>(longest));
    }
    for (const PlanEdge& edge : plan.edges) {
      std::vector<std::size_t> way{edge.from_node};
      for (std::size_t layer = layer_of_[edge.from_node] + 1; layer < layer_of_[edge.to_node];
           ++layer) {
        way.push_back(add_slot(layer, kLaneWidth));
      }
      way.push_back(edge.to_node);
      for (std::size_t i = 1; i < way.size(); ++i) {
        slots_[way[i - 1]].below.push_back(way[i]);
        slots_[way[i]].above.push_back(way[i - 1]);
      }
      ways_.push_back(std::move(way));
    }
    constexpr int kSweeps = 8;
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      for (auto& layer : layers_) order(layer, &Slot::above);
      for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
        order(*layer, &Slot::below);
      }
    }
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      for (auto& layer : layers_) align(layer, &Slot::above);
      for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
        align(*layer, &Slot::below);
      }
    }
    fit();
  }

  const Slot& slot(std::size_t i) const { return slots_[i]; }
  // The slots of an edge of the plan, its two nodes included, one in each layer.
  const std::vector<std::size_t>& way(std::size_t edge) const { return ways_[edge]; }
  double top(std::size_t node) const { return top_of_layer(layer_of_[node]); }
  static double top_of_layer(std::size_t layer) {
    return kMargin + static_cast<double>(layer) * (kBoxHeight + kLayerGap);
  }
  double width() const { return width_; }
  double height() const { return top_of_layer(layers_.size()) - kLayerGap + kMargin; }

 private:
  using Neighbours = std::vector<std::size_t> Slot::*;

  std::size_t add_slot(std::size_t layer, double width) {
    layers_.resize(std::max(layers_.size(), layer + 1));
    layers_[layer].push_back(slots_.size());
    Slot slot;
    slot.width = width;
    slot.x = static_cast<double>(layers_[layer].size());
    slots_.push_back(std::move(slot));
    return slots_.size() - 1;
  }

  double wanted_x(std::size_t slot, Neighbours neighbours) const {
    const std::vector<std::size_t>& joined = slots_[slot].*neighbours;
    if (joined.empty()) return slots_[slot].x;
    double sum = 0;
    for (const std::size_t other : joined) sum += slots_[other].x;
    return sum / static_cast<double>(joined.size());
  }

  void order(std::vector<std::size_t>& layer, Neighbours neighbours) {
    std::vector<std::pair<double, std::size_t>> wanted;
    for (const std::size_t slot : layer) wanted.emplace_back(wanted_x(slot, neighbours), slot);
    std::stable_sort(wanted.begin(), wanted.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    double x = 0;
    for (std::size_t i = 0; i < layer.size(); ++i) {
      layer[i] = wanted[i].second;
      Slot& slot = slots_[layer[i]];
      slot.x = x + slot.width / 2;
      x += slot.width + kBoxGap;
    }
    for (const std::size_t slot : layer) slots_[slot].x -= x / 2;
  }

  // Moves the slots of a layer to where their neighbours want them, in their order and apart: those
  // that would overlap become one group, which stands at the mean of what its members want.
  void align(const std::vector<std::size_t>& layer, Neighbours neighbours) {
    struct Group {
      double wanted = 0;  // of its first slot's left side, as a sum over the members
      double count = 0;
      double width = 0;  // a gap at the end included
      double left() const { return wanted / count; }
    };
    std::vector<Group> groups;
    for (const std::size_t i : layer) {
      const Slot& slot = slots_[i];
      groups.push_back({wanted_x(i, neighbours) - slot.width / 2, 1, slot.width + kBoxGap});
      while (groups.size() > 1) {
        const Group last = groups.back();
        Group& before = groups[groups.size() - 2];
        if (before.left() + before.width <= last.left()) break;
        before.wanted += last.wanted - last.count * before.width;
        before.count += last.count;
        before.width += last.width;
        groups.pop_back();
      }
    }
    auto next = layer.begin();
    for (const Group& group : groups) {
      double x = group.left();
      for (double placed = 0; placed < group.count; ++placed, ++next) {
        slots_[*next].x = x + slots_[*next].width / 2;
        x += slots_[*next].width + kBoxGap;
      }
    }
  }

  void fit() {
    double left = 0;
    double right = 0;
    for (const Slot& slot : slots_) {
      left = std::min(left, slot.x - slot.width / 2);
      right = std::max(right, slot.x + slot.width / 2);
    }
    for (Slot& slot : slots_) slot.x += kMargin - left;
    // Types stand to the right of their edges.
    constexpr double kRoomForTypes = 12 * kTypeWidth;
    width_ = right - left + 2 * kMargin + kRoomForTypes;
  }

  std::vector<std::size_t> layer_of_;  // by node
  std::vector<Slot> slots_;            // the nodes first, in their order
  std::vector<std::vector<std::size_t>> layers_;
  std::vector<std::vector<std::size_t>> ways_;
  double width_ = 0;
};

// Where the edge at `place` of `count` meets a node's side.
double port_x(const Slot& node, std::size_t place, std::size_t count) {
  constexpr double kApart = 16;
  const double apart = std::min(kApart, node.width / static_cast<double>(count + 1));
  return node.x + (static_cast<double>(place) - (static_cast<double>(count) - 1) / 2) * apart;
}

// Where among the neighbours of a node, from left to right, `slot` stands.
std::size_t place_of(const Layout& layout, const std::vector<std::size_t>& neighbours,
                     std::size_t slot) {
  return static_cast<std::size_t>(
      std::count_if(neighbours.begin(), neighbours.end(),
                    [&](std::size_t other) { return layout.slot(other).x < layout.slot(slot).x; }));
}

std::string draw_edge(const Plan& plan, const Layout& layout, std::size_t index) {
  const PlanEdge& edge = plan.edges[index];
  const std::vector<std::size_t>& way = layout.way(index);
  const Slot& from = layout.slot(edge.from_node);
  const Slot& to = layout.slot(edge.to_node);
  double x = port_x(from, place_of(layout, from.below, way[1]), from.below.size());
  double y = layout.top(edge.from_node) + kBoxHeight;
  const std::size_t entry = place_of(layout, to.above, way[way.size() - 2]);
  const double end = port_x(to, entry, to.above.size());
  std::string line = format("M%.0f %.0f", x, y);
  for (std::size_t i = 1; i < way.size(); ++i) {
    const bool last = i + 1 == way.size();
    const double next = last ? end : layout.slot(way[i]).x;
    line += format(" C%.0f %.0f %.0f %.0f", x, y + kLayerGap / 2, next, y + kLayerGap / 2) +
            format(" %.0f %.0f", next, y + kLayerGap);
    y += kLayerGap;
    x = next;
    if (!last) line += format(" V%.0f", y += kBoxHeight);
  }
  std::string out = "<path class=\"edge\" d=\"" + line + "\"><title>" +
                    xml(plan.nodes[edge.from_node].name + " -> " + plan.nodes[edge.to_node].name +
                        ": " + edge.type.to_string()) +
                    "</title></path>\n";
  // The payload's name alone fits between two layers; the rest shows on hovering. The left half of
  // a node's edges has it at the left, each further out a line higher.
  if (edge.type.payload) {
    const std::size_t first_right = to.above.size() / 2;
    const bool at_left = entry < first_right;
    const auto lines = static_cast<double>(at_left ? first_right - 1 - entry : entry - first_right);
    constexpr double kLine = 12;
    out += std::string("<text class=\"type") + (at_left ? " left" : "") + "\" x=\"" +
           format("%.0f\" y=\"%.0f", end + (at_left ? -5 : 5), y - kLayerGap / 4 - lines * kLine) +
           "\">" + xml(edge.type.payload->name) + "</text>\n";
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
      ".kind,.type{fill:#5b6b7b;font-size:11px}.type{text-anchor:start}.left{text-anchor:end}"
      ".node{fill:#eef4fb;stroke:#4a7ab5;rx:6px}"
      ".edge{fill:none;stroke:#7a8a9a;stroke-width:1.4;marker-end:url(#tip)}</style>\n"
      "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" "
      "markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" "
      "fill=\"#7a8a9a\"/></marker></defs>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  for (std::size_t i = 0; i < plan.edges.size(); ++i) out += draw_edge(plan, layout, i);
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const Slot& slot = layout.slot(i);
    const double top = layout.top(i);
    out += "<rect class=\"node\" rx=\"6\" x=\"" +
           format("%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\"/>\n", slot.x - slot.width / 2,
                  top, slot.width, kBoxHeight);
    out += "<text class=\"name\" x=\"" + format("%.0f\" y=\"%.0f\">", slot.x, top + 17) +
           xml(plan.nodes[i].name) + "</text>\n";
    out += "<text class=\"kind\" x=\"" + format("%.0f\" y=\"%.0f\">", slot.x, top + 32) +
           xml(plan.nodes[i].spec().type()) + "</text>\n";
  }
  return out + "</svg>\n";
}

}  // namespace sluice
