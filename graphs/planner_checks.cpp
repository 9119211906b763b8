#include "sluice/graphs/planner.h"
#include "sluice/graphs/values.h"

#include <algorithm>
#include <filesystem>
#include <map>

namespace sluice {
namespace {

// What a sink writes, as text; empty where its spec has no option `path`.
std::string path_written(const Spec& spec, const Options& options) {
  const OptionConstant* option = spec.find_option("path");
  if (!option) return {};
  const OptionValue& value = options.values[option->index()];
  if (const Path* path = std::get_if<Path>(&value)) return path->text;
  if (const Template* text = std::get_if<Template>(&value)) return text->text();
  return {};
}

Mark path_mark(const NodeDecl& decl) {
  for (const OptionDecl& option : decl.options) {
    if (option.name == "path") return option.value.mark ? option.value.mark : option.mark;
  }
  return decl.mark;
}

}  // namespace

void Planner::check_unread_outputs() {
  // A reader whose wires could not be read may be anybody's.
  const auto is_blind = [](const Draft& draft) {
    return draft.decl->is_faulty && draft.decl->wires.empty();
  };
  if (std::any_of(drafts_.begin(), drafts_.end(), is_blind)) return;
  for (std::size_t i = 0; i < drafts_.size(); ++i) {
    const Draft& draft = drafts_[i];
    if (draft.is_removed || draft.known == Known::kNothing || named_wrongly_[i]) continue;
    for (std::size_t k = 0; k < draft.ports.outputs.size(); ++k) {
      const PortDecl& output = draft.ports.outputs[k];
      const auto reads = [&](const Wire& wire) {
        return wire.from == i && (wire.port.empty() ? k == 0 : wire.port == output.name);
      };
      const bool is_read = std::any_of(drafts_.begin(), drafts_.end(), [&](const Draft& reader) {
        return !reader.is_removed && std::any_of(reader.wires.begin(), reader.wires.end(), reads);
      });
      if (is_read || output.optional) continue;
      const std::string from = draft.decl->name + (k == 0 ? "" : "." + output.name);
      problems_
          .add("SL0305", draft.decl->mark,
               "nobody reads output `" + output.name + "` of `" + draft.decl->name + "` (" +
                   draft.decl->type + ")",
               origin(draft))
          .help = "read it, or say that it is meant: { type: discard, from: " + from + " }";
    }
  }
}

void Planner::check_sinks() {
  struct Writer {
    std::string name;
    Mark mark;
  };
  std::map<std::string, Writer> writers;
  if (graph_.rejects.path) {
    const std::string path =
        resolve_path(graph_.rejects.path->text, graph_.rejects.path->base, {graph_.directory});
    writers[path] = {"`rejects`", graph_.rejects.path->mark};
  }
  for (const Draft& draft : drafts_) {
    if (!draft.type || draft.is_removed || !draft.options_are_good ||
        draft.spec().kind() != NodeKind::kSink)
      continue;
    const std::string path = path_written(draft.spec(), draft.options);
    if (path.empty() || path == "-") continue;
    const std::string normal = std::filesystem::path(path).lexically_normal().string();
    const auto [other, is_new] =
        writers.try_emplace(normal, Writer{"`" + draft.decl->name + "`", path_mark(*draft.decl)});
    if (!is_new) {
      Diagnostic& d = problems_.add("SL0306", path_mark(*draft.decl),
                                    "`" + draft.decl->name + "` and " + other->second.name +
                                        " write the same file: " + normal,
                                    origin(draft, "path"));
      d.notes.push_back({other->second.name + " writes it too", other->second.mark});
    }
    const Template* text =
        std::get_if<Template>(&draft.options.values[draft.spec().find_option("path")->index()]);
    const bool is_inside =
        draft.scope >= 0 && scopes_[static_cast<std::size_t>(draft.scope)].depth > 0;
    if (!text || !is_inside || text->mentions("index")) continue;
    Diagnostic& d = problems_.add("SL0313", path_mark(*draft.decl),
                                  "`" + draft.decl->name + "` is per " +
                                      scopes_[static_cast<std::size_t>(draft.scope)].name +
                                      ", and its path is the same for all children of an item",
                                  origin(draft, "path"));
    d.help = "a sink inside of a split names each child: put ${item.index} into the path";
  }
}

void Planner::check_batches() {
  for (const Draft& draft : drafts_) {
    const CommonOptions& common = draft.decl->common;
    if (draft.is_removed || draft.scope < 0 ||
        scopes_[static_cast<std::size_t>(draft.scope)].depth > 0)
      continue;
    const auto sources =
        static_cast<std::int64_t>(scope_sources_[static_cast<std::size_t>(draft.scope)].size());
    const std::int64_t most = sources * graph_.max_in_flight;
    if (!common.batch_given || common.batch_max <= most) continue;
    const WordMark* word = draft.decl->find_word("batch.max");
    Diagnostic& d = problems_.add(
        "SL0805", word ? word->mark : draft.decl->mark,
        "a batch of " + std::to_string(common.batch_max) + " never fills: at most " +
            std::to_string(most) + " items are on their way (" +
            (sources > 1 ? std::to_string(sources) + " sources x " : "") + "in_flight " +
            std::to_string(graph_.max_in_flight) + "), so every batch would wait its whole time",
        word && !word->origin.empty() ? word->origin : origin(draft, "batch.max"));
    d.help = "lower `batch.max` to " + std::to_string(most) + ", or raise run: { in_flight: " +
             std::to_string((common.batch_max + sources - 1) / sources) + " }";
  }
}

}  // namespace sluice
