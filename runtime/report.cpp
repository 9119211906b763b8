#include "sluice/runtime/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice {
namespace {

// "1,202", so that long counts can be read.
std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string duration_text(double seconds) {
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  return fmt::format("{:.0f} min {:02.0f} s", seconds / 60 - 0.5,
                     seconds - 60 * static_cast<int>(seconds / 60));
}

double busy_share(const NodeStats& node, double seconds) {
  return static_cast<double>(node.busy_ns) * 1e-9 / (seconds * static_cast<double>(node.workers));
}

// The node whose calls took most of the time that its workers had.
const NodeStats* bottleneck(const std::vector<NodeStats>& nodes, double seconds) {
  const auto busiest =
      std::max_element(nodes.begin(), nodes.end(), [&](const NodeStats& a, const NodeStats& b) {
        return busy_share(a, seconds) < busy_share(b, seconds);
      });
  return busiest == nodes.end() || busiest->busy_ns == 0 ? nullptr : &*busiest;
}

}  // namespace

int Report::exit_code() const {
  if (!failure.is_ok() || aborted) return 1;
  return items.rejected > 0 ? 3 : 0;
}

std::string Report::to_text() const {
  const double seconds = std::max(1e-9, std::chrono::duration<double>(elapsed).count());
  const std::uint64_t out = items.delivered + items.rejected + items.dropped;
  std::string text = failure.is_ok() && !aborted ? "Finished" : "Stopped";
  if (!pipeline.empty()) text += " " + pipeline;
  text += " in " + duration_text(seconds) + "\n";
  text += fmt::format("  in {} = delivered {} + rejected {} + dropped {}", grouped(items.in),
                      grouped(items.delivered), grouped(items.rejected), grouped(items.dropped));
  if (items.unfinished > 0) text += fmt::format(" + UNFINISHED {}", grouped(items.unfinished));
  const double rate = static_cast<double>(out) / seconds;
  text += rate >= 100
              ? fmt::format("       {} items/s\n", grouped(static_cast<std::uint64_t>(rate)))
              : fmt::format("       {:.2f} items/s\n", rate);
  if (!reasons.empty()) {
    text += "  rejected";
    for (const RejectCount& reason : reasons) {
      text += fmt::format("   {} {} ({})", grouped(reason.items), reason.reason, reason.node);
    }
    text += "\n";
  }
  if (const NodeStats* node = bottleneck(nodes, seconds); node != nullptr && out > 0) {
    text += fmt::format("  bottleneck {} ({:.0f} % busy)\n", node->name,
                        100 * std::min(1.0, busy_share(*node, seconds)));
  }
  if (!failure.is_ok()) text += "  failed: " + failure.message() + "\n";
  return text;
}

std::string Report::last_line(int exit_code) const {
  return fmt::format("Done. IN={} OUT={} REJECTED={} DROPPED={} EXIT={}", items.in, items.delivered,
                     items.rejected, items.dropped, exit_code);
}

}  // namespace sluice
