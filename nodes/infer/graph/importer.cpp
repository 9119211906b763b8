#include "sluice/nodes/infer/graph/importer.h"

#include "sluice/nodes/infer/graph/import_node.h"
#include "sluice/nodes/infer/graph/mapped_file.h"
#include "sluice/nodes/infer/graph/onnx_proto.h"
#include "sluice/nodes/infer/graph/tensor_data.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace sluice::graph {
namespace {

using ImportTable = std::unordered_map<std::string_view, void (*)(NodeImport&)>;

const ImportTable& import_table() {
  static const ImportTable kTable = [] {
    ImportTable made;
    for (const auto imports : {elementwise_imports(), layer_imports(), tensor_imports()}) {
      for (const OperatorImport& import : imports) made.emplace(import.op_type, import.import);
    }
    return made;
  }();
  return kTable;
}

bool is_onnx_domain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

// "Conv 'conv1' (node 12, output 'x')", as far as there are names.
std::string origin_of(const proto::Node& node, std::size_t index) {
  std::string text = is_onnx_domain(node.domain) ? "" : std::string(node.domain) + ".";
  text += node.op_type;
  if (!node.name.empty()) text += " '" + std::string(node.name) + "'";
  text += " (node " + std::to_string(index);
  if (!node.outputs.empty()) text += ", output '" + std::string(node.outputs.front()) + "'";
  return text + ")";
}

ModelPort port_of(const proto::ValueInfo& info, DType dtype) {
  ModelPort port;
  port.name = info.name;
  port.dtype = dtype;
  if (!info.shape) return port;
  for (const proto::Dimension& dimension : *info.shape) {
    Dim dim;
    if (dimension.value && *dimension.value >= 0) dim.size = *dimension.value;
    dim.symbol = dimension.param;
    port.dims.push_back(std::move(dim));
  }
  return port;
}

// How many letters have to be put in, taken out or changed to make one name of the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

// Builds the graph out of one decoded file.
class Importer {
 public:
  Importer(const proto::Model& model, std::shared_ptr<const MappedFile> file)
      : proto_(*model.graph), file_(file), loader_(std::move(file)) {
    for (const proto::OperatorSet& set : model.operator_sets) {
      if (is_onnx_domain(set.domain)) opset_ = set.version;
    }
    for (const proto::Entry& entry : model.metadata) {
      graph_.metadata.emplace(entry.key, entry.value);
    }
  }

  Result<Graph> import(const ImportOptions& options) {
    if (proto_.has_sparse_initializer) {
      return unsupported("model.unsupported", "it has sparse initializers");
    }
    for (const auto step : {&Importer::choose_outputs, &Importer::choose_nodes}) {
      if (Status status = (this->*step)(options); !status.is_ok()) return status;
    }
    for (const auto step : {&Importer::add_initializers, &Importer::add_inputs,
                            &Importer::add_nodes, &Importer::add_outputs}) {
      if (Status status = (this->*step)(); !status.is_ok()) return status;
    }
    return std::move(graph_);
  }

  Result<Interface> read_interface(const ImportOptions& options) {
    for (const auto step : {&Importer::choose_outputs, &Importer::choose_nodes}) {
      if (Status status = (this->*step)(options); !status.is_ok()) return status;
    }
    for (const auto step : {&Importer::check_external, &Importer::add_inputs}) {
      if (Status status = (this->*step)(); !status.is_ok()) return status;
    }
    Interface seen;
    seen.inputs = std::move(graph_.input_ports);
    seen.metadata = std::move(graph_.metadata);
    seen.file_bytes = file_->bytes().size();
    for (const proto::ValueInfo* info : outputs_) {
      seen.output_places.push_back(static_cast<std::size_t>(info - proto_.outputs.data()));
      seen.outputs.push_back(port_of(*info, dtype_of(info->elem_type).value_or(DType::kF32)));
    }
    return seen;
  }

 private:
  Status choose_outputs(const ImportOptions& options) {
    if (proto_.outputs.empty()) return invalid("model.invalid", "its graph has no outputs");
    if (options.outputs.empty()) {
      for (const proto::ValueInfo& info : proto_.outputs) outputs_.push_back(&info);
      return Status::ok();
    }
    for (const std::string& name : options.outputs) {
      const auto found = std::find_if(proto_.outputs.begin(), proto_.outputs.end(),
                                      [&](const auto& info) { return info.name == name; });
      if (found == proto_.outputs.end()) return no_such_output(name);
      outputs_.push_back(&*found);
    }
    return Status::ok();
  }

  Status no_such_output(const std::string& name) const {
    std::string known;
    std::string_view nearest;
    std::size_t least = name.size() / 3 + 1;  // more changes than that are another name
    for (const proto::ValueInfo& info : proto_.outputs) {
      known += (known.empty() ? "" : ", ") + std::string(info.name);
      const std::size_t changes = edit_distance(name, info.name);
      if (changes > least) continue;
      least = changes;
      nearest = info.name;
    }
    const std::string question =
        nearest.empty() ? "" : " (did you mean '" + std::string(nearest) + "'?)";
    return invalid("model.output",
                   "it has no output '" + name + "'" + question + "; its outputs are: " + known);
  }

  // Marks what the chosen outputs depend on. Nodes stand in order, so one walk back is enough.
  Status choose_nodes(const ImportOptions&) {
    for (const proto::ValueInfo* info : outputs_) needed_.insert(info->name);
    is_needed_.assign(proto_.nodes.size(), 0);
    for (std::size_t i = proto_.nodes.size(); i-- > 0;) {
      const proto::Node& node = proto_.nodes[i];
      const bool needed = std::any_of(node.outputs.begin(), node.outputs.end(),
                                      [&](auto name) { return needed_.contains(name); });
      if (!needed) continue;
      is_needed_[i] = 1;
      for (std::string_view name : node.inputs) needed_.insert(name);
    }
    return Status::ok();
  }

  Status bind(std::string_view name, ValueId id) {
    if (name.empty() || names_.emplace(name, id).second) return Status::ok();
    return invalid("model.invalid", "two values are named '" + std::string(name) + "'");
  }

  Status add_initializers() {
    for (const proto::Tensor& tensor : proto_.initializers) {
      if (!needed_.contains(tensor.name)) continue;
      Result<Tensor> loaded = loader_.load(tensor);
      if (!loaded) return loaded.status();
      const ValueId id = graph_.add_constant(std::string(tensor.name), std::move(*loaded));
      if (Status status = bind(tensor.name, id); !status.is_ok()) return status;
    }
    return Status::ok();
  }

  Status check_external() {
    for (const proto::Tensor& tensor : proto_.initializers) {
      if (!tensor.is_external) continue;
      if (Result<Tensor> loaded = loader_.load(tensor); !loaded) return loaded.status();
    }
    return Status::ok();
  }

  Status add_inputs() {
    for (const proto::ValueInfo& info : proto_.inputs) {
      // Until IR version 4 every initializer was listed as an input too.
      if (names_.contains(info.name)) continue;
      const bool is_initializer =
          std::any_of(proto_.initializers.begin(), proto_.initializers.end(),
                      [&](const proto::Tensor& tensor) { return tensor.name == info.name; });
      if (is_initializer) continue;
      const std::optional<DType> dtype = dtype_of(info.elem_type);
      if (!info.is_tensor || !dtype) {
        return unsupported("model.unsupported", "input '" + std::string(info.name) +
                                                    "' is no tensor of a supported element type");
      }
      if (info.shape && info.shape->size() > Shape::kMaxRank) {
        return unsupported("model.unsupported",
                           "input '" + std::string(info.name) + "' has more than 8 dimensions");
      }
      const ValueId id = graph_.add_value(std::string(info.name), *dtype);
      if (Status status = bind(info.name, id); !status.is_ok()) return status;
      graph_.inputs.push_back(id);
      graph_.input_ports.push_back(port_of(info, *dtype));
    }
    return Status::ok();
  }

  Status add_nodes() {
    for (std::size_t i = 0; i < proto_.nodes.size(); ++i) {
      if (!is_needed_[i]) continue;
      if (Status status = add_node(proto_.nodes[i], i); !status.is_ok()) return status;
    }
    if (missing_.empty()) return Status::ok();
    std::string list;
    for (const std::string& what : missing_) list += (list.empty() ? "" : "; ") + what;
    return unsupported("model.unsupported", "it needs operators that are not supported: " + list);
  }

  // Status that ends the import; what is merely unsupported is collected, for one list of it all.
  Status add_node(const proto::Node& node, std::size_t index) {
    const std::string origin = origin_of(node, index);
    std::vector<ValueId> inputs;
    for (std::string_view name : node.inputs) {
      const auto found = names_.find(name);
      if (name.empty()) {
        inputs.push_back(kNoValue);
      } else if (found != names_.end()) {
        inputs.push_back(found->second);
      } else {
        return invalid("model.invalid", origin + " reads '" + std::string(name) +
                                            "', which nothing before it makes");
      }
    }
    if (is_onnx_domain(node.domain) && opset_ < 1) {
      return invalid("model.invalid", "it names no ONNX operator set");
    }
    const auto entry = import_table().find(node.op_type);
    if (!is_onnx_domain(node.domain) || entry == import_table().end()) {
      missing_.push_back(origin);
      return bind_placeholders(node);
    }
    NodeImport import(graph_, loader_, {node, inputs, opset_, origin});
    entry->second(import);
    if (!import.status().is_ok()) {
      const bool is_unsupported = import.status().code() == Code::kUnsupported;
      // What follows a missing operator may look wrong for no other reason.
      if (!is_unsupported && missing_.empty()) return import.status();
      if (is_unsupported) missing_.push_back(import.status().message());
      return bind_placeholders(node);
    }
    return bind_results(node, import.results(), origin);
  }

  Status bind_results(const proto::Node& node, std::span<const ValueId> results,
                      const std::string& origin) {
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      if (results[i] == kNoValue) {
        // Nobody reads it: old writers list the outputs of training.
        if (!needed_.contains(node.outputs[i])) continue;
        missing_.push_back(origin + " with its output " + std::to_string(i));
      }
      const ValueId id = results[i] == kNoValue ? graph_.add_value({}, DType::kF32) : results[i];
      if (Status status = bind(node.outputs[i], id); !status.is_ok()) return status;
    }
    return Status::ok();
  }

  Status bind_placeholders(const proto::Node& node) {
    for (std::string_view name : node.outputs) {
      const ValueId id = graph_.add_value({}, DType::kF32);
      if (Status status = bind(name, id); !status.is_ok()) return status;
    }
    return Status::ok();
  }

  Status add_outputs() {
    for (const proto::ValueInfo* info : outputs_) {
      const auto found = names_.find(info->name);
      if (found == names_.end()) {
        return invalid("model.invalid",
                       "nothing makes its output '" + std::string(info->name) + "'");
      }
      graph_.outputs.push_back(found->second);
      const DType dtype = graph_.values[static_cast<std::size_t>(found->second)].dtype;
      graph_.output_ports.push_back(port_of(*info, dtype));
    }
    return Status::ok();
  }

  const proto::Graph& proto_;
  const std::shared_ptr<const MappedFile> file_;
  TensorLoader loader_;
  std::int64_t opset_ = 0;
  Graph graph_;
  std::vector<const proto::ValueInfo*> outputs_;
  std::unordered_set<std::string_view> needed_;
  std::vector<char> is_needed_;
  std::unordered_map<std::string_view, ValueId> names_;
  std::vector<std::string> missing_;
};

// Maps and decodes the file, and hands it to `import`; failures say which file it was.
template <class Made, class Import>
Result<Made> with_model(const std::string& path, const Import& import) {
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::open(path);
  if (!file) return file.status();
  const std::string where =
      "cannot load " + path + " (" + std::to_string((*file)->bytes().size()) + " bytes)";
  const Result<proto::Model> model = proto::decode_model((*file)->bytes());
  if (!model) return model.status().with_context(where);
  if (!model->graph) {
    return invalid("model.invalid", "it is no ONNX model: it has no graph").with_context(where);
  }
  Result<Made> made = import(Importer(*model, *file));
  if (!made) return made.status().with_context(where);
  return made;
}

}  // namespace

Result<Graph> import_onnx(const std::string& path, const ImportOptions& options) {
  return with_model<Graph>(path, [&](Importer importer) { return importer.import(options); });
}

Result<Interface> read_interface(const std::string& path, const ImportOptions& options) {
  return with_model<Interface>(path,
                               [&](Importer importer) { return importer.read_interface(options); });
}

}  // namespace sluice::graph
