#include "sluice/graphs/node_reader.h"

#include "sluice/core/registry.h"
#include "sluice/graphs/suggest.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr std::int64_t kMostParallel = 1024;
constexpr std::int64_t kMostQueued = 1'000'000;
constexpr std::int64_t kLargestBatch = 65536;

// "cuda", or "cuda:" and the number of a GPU.
bool is_cuda(std::string_view text) {
  constexpr std::size_t kMostDigits = 3;
  if (text == "cuda") return true;
  if (!text.starts_with("cuda:")) return false;
  const std::string_view number = text.substr(5);
  return !number.empty() && number.size() <= kMostDigits &&
         number.find_first_not_of("0123456789") == std::string_view::npos;
}

class NodeReader {
 public:
  NodeReader(const SourceValue::Field& field, Problems& problems)
      : field_(field), problems_(problems) {}

  NodeDecl read(OnError default_on_error);

 private:
  using Field = SourceValue::Field;

  std::string origin(const std::string& word) const { return "nodes." + field_.key + "." + word; }
  Diagnostic& add(std::string code, Mark mark, std::string message, const std::string& word) {
    node_.is_faulty = true;
    return problems_.add(std::move(code), mark, std::move(message), origin(word));
  }
  // The value, or `fallback` after reporting why it is none.
  template <class T>
  T take(Read<T> read, const std::string& word, T fallback) {
    if (T* value = std::get_if<T>(&read)) return std::move(*value);
    node_.is_faulty = true;
    problems_.add(std::get<ValueProblem>(read), origin(word));
    return fallback;
  }
  std::int64_t take_count(const SourceValue& value, const std::string& word, std::int64_t max,
                          std::int64_t fallback);

  void read_word(const Field& field);
  void read_type(const SourceValue& value);
  void read_from(const Field& field);
  void read_wires(const SourceValue& value, const std::string& input, Mark input_mark);
  void read_parallel(const SourceValue& value);
  void read_queue(const SourceValue& value);
  void read_batch(const SourceValue& value);
  void read_pad(const SourceValue& value);
  void read_pad_rule(PadRule& rule, const Field& field);
  void read_device(const SourceValue& value);
  void read_streams(const SourceValue& value);
  void read_gpu_timeout(const SourceValue& value);
  void refuse_later(const Field& field);
  bool expect_map(const SourceValue& value, const std::string& word, const std::string& example);
  void unknown_word(const Field& field, const std::string& parent,
                    const std::vector<std::string>& valid);

  const Field& field_;
  Problems& problems_;
  NodeDecl node_;
};

NodeDecl NodeReader::read(OnError default_on_error) {
  node_.name = field_.key;
  node_.mark = field_.mark;
  node_.common.on_error = default_on_error;
  if (!is_node_name(field_.key)) {
    add("SL0218", field_.mark, "`" + field_.key + "` cannot be the name of a node", "").help =
        "a name has letters, digits, `_` and `-`, and begins with a letter or `_`";
  }
  if (!field_.value.is_map()) {
    Diagnostic& d =
        add("SL0217", field_.value.mark ? field_.value.mark : field_.mark,
            "node `" + field_.key + "` must be a map, found " + field_.value.describe(), "");
    d.help = "for instance { type: image.decode, from: files }";
    return std::move(node_);
  }
  for (const Field& field : field_.value.fields) {
    const auto& words = common_words();
    if (std::find(words.begin(), words.end(), field.key) == words.end()) {
      node_.options.push_back({field.key, field.mark, field.value});
    } else {
      node_.words.push_back(
          {field.key, field.value.mark ? field.value.mark : field.mark, field.value.origin});
      read_word(field);
    }
  }
  if (!field_.value.find("type")) {
    add("SL0203", field_.mark, "node `" + field_.key + "` has no `type:`", "").help =
        "sluice list shows the node types";
  }
  return std::move(node_);
}

void NodeReader::read_word(const Field& field) {
  const SourceValue& value = field.value;
  if (is_later_word(field.key)) {
    refuse_later(field);
  } else if (field.key == "type") {
    read_type(value);
  } else if (field.key == "from") {
    read_from(field);
  } else if (field.key == "parallel") {
    read_parallel(value);
  } else if (field.key == "order") {
    node_.common.order = take(sluice::read_word(value, "`order`", {"keep", "any"}), "order",
                              std::string("keep")) == "any"
                             ? Order::kAny
                             : Order::kKeep;
  } else if (field.key == "queue") {
    read_queue(value);
  } else if (field.key == "batch") {
    read_batch(value);
  } else if (field.key == "device") {
    read_device(value);
  } else if (field.key == "streams") {
    read_streams(value);
  } else if (field.key == "gpu_timeout") {
    read_gpu_timeout(value);
  } else if (field.key == "on_error") {
    node_.common.on_error =
        read_on_error(value, origin("on_error"), node_.common.on_error, problems_);
  } else if (field.key == "enabled") {
    node_.enabled = take(read_bool(value, "`enabled`"), "enabled", true);
  }
}

void NodeReader::refuse_later(const Field& field) {
  Diagnostic& d =
      add("SL0216", field.mark, "`" + field.key + ":` is not in this version", field.key);
  if (field.key == "join") d.help = "inputs are paired by item: name several under `from:`";
  if (field.key == "run")
    d.help = "`run:` stands at the top level: run: { memory: 2GiB, in_flight: 64 }";
}

void NodeReader::read_type(const SourceValue& value) {
  if (!value.is_scalar()) {
    add("SL0207", value.mark ? value.mark : field_.mark,
        "`type` must be the name of a node type, found " + value.describe(), "type");
    return;
  }
  node_.type = value.text;
  node_.type_mark = value.mark;
}

void NodeReader::read_from(const Field& field) {
  node_.from_mark = field.mark;
  const SourceValue& value = field.value;
  if (!value.is_map()) return read_wires(value, {}, {});
  for (const Field& input : value.fields) read_wires(input.value, input.key, input.mark);
}

void NodeReader::read_wires(const SourceValue& value, const std::string& input, Mark input_mark) {
  if (value.is_list() && !value.items.empty()) {
    for (const SourceValue& item : value.items) {
      if (item.is_list()) {
        add("SL0217", item.mark, "`from` cannot hold a list within a list", "from");
      } else {
        read_wires(item, input, input_mark);
      }
    }
    return;
  }
  if (!value.is_scalar() || value.text.empty()) {
    add("SL0217", value.mark ? value.mark : field_.mark,
        "`from` must name a node, found " +
            (value.is_list() ? std::string("an empty list") : value.describe()),
        "from")
        .help = "from: a, from: a.port, from: { image: a, quad: b }, from: [a, b]";
    return;
  }
  WireDecl wire;
  wire.input = input;
  wire.input_mark = input_mark;
  wire.mark = value.mark;
  const std::size_t dot = value.text.find('.');
  wire.node = value.text.substr(0, dot);
  if (dot != std::string::npos) wire.port = value.text.substr(dot + 1);
  node_.wires.push_back(std::move(wire));
}

std::int64_t NodeReader::take_count(const SourceValue& value, const std::string& word,
                                    std::int64_t max, std::int64_t fallback) {
  const std::int64_t count = take(read_int(value, "`" + word + "`"), word, fallback);
  if (count >= 1 && count <= max) return count;
  Diagnostic& d = add(
      "SL0209", value.mark,
      "`" + word + "` is out of range: " + value.text + " is not in 1 to " + std::to_string(max),
      word);
  d.origin = value.origin.empty() ? d.origin : value.origin;
  return fallback;
}

void NodeReader::read_parallel(const SourceValue& value) {
  if (value.is_scalar() && value.text == "auto") return;
  if (std::holds_alternative<ValueProblem>(read_int(value, "")) && value.is_scalar() &&
      !value.is_broken) {
    add("SL0207", value.mark, "`parallel` must be `auto` or an integer, found `" + value.text + "`",
        "parallel");
    return;
  }
  node_.common.parallel = static_cast<int>(take_count(value, "parallel", kMostParallel, 1));
}

bool NodeReader::expect_map(const SourceValue& value, const std::string& word,
                            const std::string& example) {
  if (value.is_map()) return true;
  Diagnostic& d = add("SL0217", value.mark ? value.mark : field_.mark,
                      "`" + word + "` must be a map, found " + value.describe(), word);
  d.help = "for instance " + word + ": { " + example + " }";
  return false;
}

void NodeReader::unknown_word(const Field& field, const std::string& parent,
                              const std::vector<std::string>& valid) {
  const SourceValue::Field* type = field_.value.find("type");
  const NodeType* known = type ? find_node_type(type->value.text) : nullptr;
  const auto& common = common_words();
  const bool is_common = std::find(common.begin(), common.end(), field.key) != common.end();
  if (is_common || (known && known->spec->find_option(field.key))) {
    Diagnostic& d = add("SL0205", field.mark,
                        "`" + field.key + "` does not belong under `" + parent + ":`", parent);
    d.suggestion = "it is a word of the node: move it beside `" + parent + ":`";
    return;
  }
  Diagnostic& d =
      add("SL0801", field.mark, "unknown word `" + field.key + "` under `" + parent + ":`", parent);
  d.suggestion = did_you_mean(field.key, valid);
  d.help = "words: " + join_names(valid);
}

void NodeReader::read_queue(const SourceValue& value) {
  if (!expect_map(value, "queue", "items: 64, bytes: 256MiB, when_full: block")) return;
  for (const Field& field : value.fields) {
    if (field.key == "items") {
      node_.common.queue_items =
          static_cast<std::uint32_t>(take_count(field.value, "queue.items", kMostQueued, 64));
    } else if (field.key == "bytes") {
      node_.common.queue_bytes = take(read_byte_size(field.value, "`queue.bytes`"), "queue.bytes",
                                      ByteSize{node_.common.queue_bytes})
                                     .bytes;
    } else if (field.key == "when_full") {
      const std::string word = take(
          sluice::read_word(field.value, "`when_full`", {"block", "drop_oldest", "drop_newest"}),
          "queue.when_full", std::string("block"));
      node_.common.when_full = word == "drop_oldest"   ? WhenFull::kDropOldest
                               : word == "drop_newest" ? WhenFull::kDropNewest
                                                       : WhenFull::kBlock;
    } else {
      unknown_word(field, "queue", {"items", "bytes", "when_full"});
    }
  }
}

void NodeReader::read_batch(const SourceValue& value) {
  node_.common.batch_given = true;
  if (!expect_map(value, "batch", "max: 8, wait: 5ms")) return;
  for (const Field& field : value.fields) {
    if (field.key == "max") {
      node_.common.batch_max =
          static_cast<int>(take_count(field.value, "batch.max", kLargestBatch, 1));
      node_.words.push_back({"batch.max", field.value.mark, field.value.origin});
    } else if (field.key == "wait") {
      node_.common.batch_wait =
          take(read_duration(field.value, "`batch.wait`"), "batch.wait", node_.common.batch_wait);
    } else if (field.key == "pad") {
      node_.words.push_back({"batch.pad", field.mark, field.value.origin});
      read_pad(field.value);
    } else {
      unknown_word(field, "batch", {"max", "wait", "pad"});
    }
  }
  if (!value.find("max")) {
    Mark mark = node_.find_word("batch")->mark;
    add("SL0206", mark, "`batch` needs `max`, how many items one call takes at most", "batch")
        .help = "for instance batch: { max: 8 }";
  }
}

void NodeReader::read_pad(const SourceValue& value) {
  if (!expect_map(value, "pad", "w: { step: 160, max: 3200 }")) return;
  for (const Field& field : value.fields) {
    PadRule rule;
    rule.axis = field.key;
    if (field.key.size() != 1 || field.key[0] < 'a' || field.key[0] > 'z') {
      add("SL0804", field.mark,
          "`pad` names axes by one letter of the layout, found `" + field.key + "`", "batch.pad")
          .help = "for instance pad: { w: { step: 160, max: 3200 } }";
      continue;
    }
    read_pad_rule(rule, field);
    node_.common.pad.push_back(std::move(rule));
  }
}

void NodeReader::read_pad_rule(PadRule& rule, const Field& field) {
  const std::string word = "batch.pad." + field.key;
  constexpr std::int64_t kLongest = 1 << 20;
  if (field.value.is_list()) {
    for (const SourceValue& item : field.value.items) {
      const std::int64_t size = take_count(item, word, kLongest, 1);
      if (!rule.sizes.empty() && size <= rule.sizes.back() && !node_.is_faulty) {
        add("SL0804", item.mark,
            "the sizes of `" + word + "` must grow: " + std::to_string(size) + " follows " +
                std::to_string(rule.sizes.back()),
            word);
      }
      rule.sizes.push_back(size);
    }
    return;
  }
  if (!expect_map(field.value, word, "step: 160, max: 3200")) return;
  for (const Field& part : field.value.fields) {
    if (part.key == "step") {
      rule.step = take_count(part.value, word + ".step", kLongest, 1);
    } else if (part.key == "max") {
      rule.max = take_count(part.value, word + ".max", kLongest, 1);
    } else {
      unknown_word(part, word, {"step", "max"});
    }
  }
  if (rule.step == 0 || rule.max == 0) {
    add("SL0804", field.mark, "`" + word + "` needs `step` and `max`, or a list of sizes", word);
  } else if (rule.max % rule.step != 0) {
    add("SL0804", field.mark,
        "`" + word + "`: max " + std::to_string(rule.max) + " is no multiple of step " +
            std::to_string(rule.step) + "; the multiples next to it are " +
            std::to_string(rule.max / rule.step * rule.step) + " and " +
            std::to_string((rule.max / rule.step + 1) * rule.step),
        word);
  }
}

void NodeReader::read_device(const SourceValue& value) {
  if (value.is_scalar() && is_cuda(value.text)) {
    node_.common.device = value.text;
    return;
  }
  Read<std::string> word =
      sluice::read_word(value, "`device`", {"auto", "cpu", "cuda", "cuda:N", "sim"});
  if (auto* wrong = std::get_if<ValueProblem>(&word)) {
    if (!wrong->code.empty()) wrong->code = "SL0602";
    if (value.text == "gpu") wrong->suggestion = "did you mean `cuda`?";
    wrong->help = "N is the number of a GPU, from 0; sluice doctor shows what this machine has";
  }
  node_.common.device = take(std::move(word), "device", std::string("auto"));
}

void NodeReader::read_streams(const SourceValue& value) {
  constexpr std::int64_t kMost = 64;
  node_.common.streams = static_cast<int>(take_count(value, "streams", kMost, 1));
}

void NodeReader::read_gpu_timeout(const SourceValue& value) {
  const Duration timeout =
      take(read_duration(value, "`gpu_timeout`"), "gpu_timeout", node_.common.gpu_timeout);
  if (timeout > Duration::zero()) {
    node_.common.gpu_timeout = timeout;
    return;
  }
  Diagnostic& d =
      add("SL0209", value.mark, "`gpu_timeout` is out of range: " + value.text + " is not above 0",
          "gpu_timeout");
  d.origin = value.origin.empty() ? d.origin : value.origin;
}

}  // namespace

NodeDecl read_node(const SourceValue::Field& field, OnError default_on_error, Problems& problems) {
  return NodeReader(field, problems).read(default_on_error);
}

OnError read_on_error(const SourceValue& value, const std::string& origin, OnError fallback,
                      Problems& problems) {
  if (value.is_map() || (value.is_scalar() && value.text == "route")) {
    const std::string what = value.is_map() ? "`on_error` with retries" : "`on_error: route`";
    problems.add("SL0216", value.mark, what + " is not in this version", origin).help =
        "on_error: reject, on_error: fail";
    return fallback;
  }
  Read<std::string> word = read_word(value, "`on_error`", {"reject", "fail"});
  if (const auto* wrong = std::get_if<ValueProblem>(&word)) {
    problems.add(*wrong, origin);
    return fallback;
  }
  return std::get<std::string>(word) == "fail" ? OnError::kFail : OnError::kReject;
}

bool is_node_name(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  if (name.empty() || !is_letter(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace sluice
