#include "sluice/core/cuda_plugin.h"
#include "sluice/graphs/planner.h"

#include <charconv>
#include <optional>

namespace sluice {
namespace {

// The number of a GPU: 0 for "cuda", N for "cuda:N".
std::optional<int> cuda_ordinal(std::string_view device) {
  if (device == "cuda") return 0;
  if (!device.starts_with("cuda:")) return std::nullopt;
  int ordinal = 0;
  std::from_chars(device.data() + 5, device.data() + device.size(), ordinal);
  return ordinal;
}

}  // namespace

// Before a node is asked for its ports, which depend on where it runs. A node that takes no batches
// does little with an item, less than the way to a GPU costs: unless it is told to be there, it
// comes back where it turns out that it makes the way for itself.
void Planner::choose_devices() {
  bool has_warned = false;
  for (Draft& draft : drafts_) {
    if (!draft.type || !draft.decl->enabled || !draft.spec().takes_devices()) continue;
    const std::optional<int> ordinal = cuda_ordinal(draft.common.device);
    if (draft.common.device == "auto" && !draft.decl->is_faulty) {
      const Status status = choose_freely(draft);
      if (status.is_ok() || has_warned || !draft.spec().takes_batches()) continue;
      warn_of_cpu(draft, status);
      has_warned = true;
    } else if (ordinal) {
      const auto api = cuda_.api(*ordinal);
      if (!api) refuse_device(draft, api.status());
      draft.common.device = "cuda:" + std::to_string(*ordinal);
    }
  }
}

// The first GPU, where there is one that can be used. Why it cannot, where there seems to be one; a
// machine without any gives no reason to speak of it.
Status Planner::choose_freely(Draft& draft) {
  if (!cuda_.driver()) return Status::ok();
  const auto api = cuda_.api(0);
  if (!api) return api.status();
  draft.common.device = "cuda:0";
  draft.common.device_is_chosen = true;
  return Status::ok();
}

void Planner::warn_of_cpu(const Draft& draft, const Status& why) {
  Diagnostic& d =
      problems_.add("SL0605", draft.decl->mark,
                    "`device: auto` of `" + draft.decl->name + "` means the CPU: " + why.message(),
                    origin(draft));
  d.is_warning = true;
  d.help = "`device: cpu` says that this is meant; sluice doctor shows how far it goes";
}

void Planner::refuse_device(Draft& draft, const Status& why) {
  const WordMark* const word = draft.decl->find_word("device");
  Diagnostic& d = problems_.add("SL0601", word ? word->mark : draft.decl->mark,
                                "`device: " + draft.common.device + "`: no such GPU can be used",
                                origin(draft, "device"));
  if (word && !word->origin.empty()) d.origin = word->origin;
  d.help = why.message();
}

}  // namespace sluice
