#include "sluice/graphs/planner.h"
#include "sluice/graphs/suggest.h"
#include "sluice/graphs/values.h"

#include <algorithm>

namespace sluice {
namespace {

std::vector<std::string> option_names(const Spec& spec) {
  std::vector<std::string> names;
  for (const OptionConstant* option : spec.options()) names.push_back(option->name());
  return names;
}

// Where a word belongs that is no option of any node; empty where it is no such word.
std::string place_of_word(std::string_view word) {
  if (word == "max" || word == "wait" || word == "pad") return "`batch:`";
  if (word == "items" || word == "bytes" || word == "when_full") return "`queue:`";
  if (word == "memory" || word == "in_flight") return "`run:` at the top level";
  if (word == "rejects" || word == "params" || word == "version" || word == "nodes")
    return "the top level";
  return {};
}

}  // namespace

void Planner::find_types() {
  for (const NodeDecl& decl : graph_.nodes) {
    Draft& draft = drafts_.emplace_back();
    draft.decl = &decl;
    draft.common = decl.common;
    if (find_node(decl.name) + 1 != drafts_.size()) {
      problems_.add("SL0219", decl.mark, "two nodes are called `" + decl.name + "`", origin(draft));
    }
    if (decl.type.empty()) continue;  // reported when it was read
    draft.type = find_node_type(decl.type);
    if (draft.type) continue;
    std::vector<std::string> types;
    for (const NodeType* type : node_types()) types.push_back(type->spec->type());
    Diagnostic& d = problems_.add("SL0202", decl.type_mark, "unknown node type `" + decl.type + "`",
                                  origin(draft, "type"));
    d.suggestion = did_you_mean(decl.type, types);
    d.help = "types: " + join_names(types) + "   (sluice list)";
  }
  named_wrongly_.assign(drafts_.size(), false);
}

void Planner::read_options() {
  for (Draft& draft : drafts_) {
    if (draft.type) read_node_options(draft);
  }
}

void Planner::read_node_options(Draft& draft) {
  const auto& constants = draft.spec().options();
  draft.options.values.resize(constants.size());
  draft.options.given.assign(constants.size(), false);
  for (const OptionDecl& option : draft.decl->options) {
    const OptionConstant* constant = draft.spec().find_option(option.name);
    if (!constant) {
      unknown_option(draft, option);
      draft.options_are_good = false;
      continue;
    }
    const std::size_t index = constant->index();
    draft.options.given[index] = true;
    Read<OptionValue> value = read_option(option.value, *constant, {graph_.directory});
    if (auto* wrong = std::get_if<ValueProblem>(&value)) {
      if (!wrong->mark && wrong->origin.empty()) wrong->mark = option.mark;
      problems_.add(*wrong, origin(draft, option.name));
      draft.options_are_good = false;
      continue;
    }
    draft.options.values[index] = std::get<OptionValue>(std::move(value));
  }
  for (const OptionConstant* constant : constants) {
    if (draft.options.given[constant->index()]) continue;
    draft.options.values[constant->index()] = constant->default_value();
    // A misspelt option is reported as such, and not once more as a missing one.
    const bool is_misspelt = std::any_of(
        draft.decl->options.begin(), draft.decl->options.end(), [&](const OptionDecl& option) {
          return !draft.spec().find_option(option.name) &&
                 nearest_name(option.name, option_names(draft.spec())) == constant->name();
        });
    if (!constant->is_required()) continue;
    draft.options_are_good = false;
    if (is_misspelt) continue;
    Diagnostic& d =
        problems_.add("SL0206", draft.decl->mark,
                      "`" + draft.decl->name + "` (" + draft.decl->type + ") needs the option `" +
                          constant->name() + "`: " + constant->doc(),
                      origin(draft));
    if (!constant->example().empty())
      d.help = "for instance " + constant->name() + ": " + constant->example();
  }
}

void Planner::unknown_option(const Draft& draft, const OptionDecl& option) {
  const Spec& spec = draft.spec();
  std::vector<std::string> valid = option_names(spec);
  const std::string listed =
      valid.empty() ? spec.type() + " has no options"
                    : "options: " + join_names(valid) + "   (sluice show " + spec.type() + ")";
  for (const std::string& word : common_words()) {
    if (!is_later_word(word)) valid.push_back(word);
  }
  const std::string nearest = did_you_mean(option.name, valid);
  std::string belongs = place_of_word(option.name);
  if (!belongs.empty()) belongs = "it belongs under " + belongs;
  if (belongs == "it belongs under the top level") belongs = "it belongs at the top level";
  for (const Draft& other : drafts_) {
    if (!belongs.empty() || !nearest.empty()) break;
    if (other.type && other.type != draft.type && other.spec().find_option(option.name)) {
      belongs = "it is an option of `" + other.decl->name + "` (" + other.spec().type() + ")";
    }
  }
  const std::string word = "`" + option.name + "`";
  Diagnostic& d =
      belongs.empty() || !nearest.empty()
          ? problems_.add("SL0204", option.mark,
                          "unknown option " + word + " for node type `" + spec.type() + "`")
          : problems_.add(
                "SL0205", option.mark,
                word + " is no option of `" + draft.decl->name + "` (" + spec.type() + ")");
  d.origin = option.value.origin.empty() ? origin(draft, option.name) : option.value.origin;
  d.suggestion = nearest.empty() ? belongs : nearest;
  d.help = listed;
}

void Planner::check_words() {
  for (const Draft& draft : drafts_) {
    if (!draft.type) continue;
    const CommonOptions& common = draft.decl->common;
    const auto place = [&](std::string_view word) {
      const WordMark* mark = draft.decl->find_word(word);
      return mark ? *mark : WordMark{std::string(word), draft.decl->mark, origin(draft)};
    };
    if (common.parallel > 1 && draft.spec().concurrency() == Concurrency::kSerial) {
      const WordMark at = place("parallel");
      problems_
          .add("SL0802", at.mark,
               "`parallel: " + std::to_string(common.parallel) + "`: " + draft.decl->type +
                   " takes one item at a time, because it keeps something from item to item",
               at.origin.empty() ? origin(draft, "parallel") : at.origin)
          .help = "leave it out";
    }
    if (common.batch_given && !draft.spec().takes_batches()) {
      const WordMark at = place("batch");
      problems_
          .add("SL0803", at.mark,
               "`batch`: " + draft.decl->type + " takes one item at a time, not batches",
               at.origin.empty() ? origin(draft, "batch") : at.origin)
          .help = "leave it out";
    }
    check_lanes(draft);
  }
}

// A word of lanes may stand beside `device: auto`: it counts where the node gets some.
void Planner::check_lanes(const Draft& draft) {
  const CommonOptions& common = draft.decl->common;
  if (common.has_lanes() && !draft.spec().takes_devices()) {
    const WordMark* const at = draft.decl->find_word("device");
    Diagnostic& d = problems_.add(
        "SL0603", at ? at->mark : draft.decl->mark,
        "`device: " + common.device + "`: " + draft.decl->type + " runs on the CPU only",
        origin(draft, "device"));
    if (at && !at->origin.empty()) d.origin = at->origin;
    d.help = "leave it out";
    return;
  }
  const bool may_have_lanes =
      common.has_lanes() || (draft.spec().takes_devices() && common.device == "auto");
  if (may_have_lanes || draft.decl->is_faulty) return;
  for (const char* word : {"streams", "gpu_timeout"}) {
    if (const WordMark* at = draft.decl->find_word(word)) refuse_lane_word(draft, *at);
  }
}

void Planner::refuse_lane_word(const Draft& draft, const WordMark& at) {
  Diagnostic& d = problems_.add("SL0604", at.mark,
                                "`" + at.word + "` is for devices with streams, and `device: " +
                                    draft.decl->common.device + "` has none",
                                at.origin.empty() ? origin(draft, at.word) : at.origin);
  d.help = draft.spec().takes_devices() && at.word == "streams"
               ? "`parallel:` says how many items are computed at a time on the CPU"
               : "leave it out";
}

}  // namespace sluice
