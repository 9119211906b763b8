#pragma once

#include "sluice/core/options.h"
#include "sluice/graphs/source_value.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// More nodes than anybody writes; planning takes time by their square.
inline constexpr std::size_t kMaxNodes = 4096;

// One wire into a node. Several with the same input are a merge.
struct WireDecl {
  std::string input;  // empty: the node's first
  std::string node;   // the writer
  std::string port;   // of the writer; empty: its first output
  Mark mark;          // of the writer's name
  Mark input_mark;
};

// An option as written; the node's spec gives it a type when the graph is planned.
struct OptionDecl {
  std::string name;
  Mark mark;
  SourceValue value;
};

// Where a common word stands: "batch.max".
struct WordMark {
  std::string word;
  Mark mark;
  std::string origin;
};

struct NodeDecl {
  std::string name;
  Mark mark;
  std::string type;
  Mark type_mark;
  std::vector<WireDecl> wires;
  Mark from_mark;
  std::vector<OptionDecl> options;
  CommonOptions common;
  std::vector<WordMark> words;  // the common words that were given
  bool enabled = true;
  // Some of it could not be read: what is missing here need not be missing in the file.
  bool is_faulty = false;

  const WordMark* find_word(std::string_view word) const;
};

// A value that the file lets the command line choose.
struct Parameter {
  enum class Type { kText, kPath, kBool, kInt, kNumber, kDuration, kByteSize };
  std::string name;
  Type type = Type::kText;
  std::string text;
  bool has_value = false;
  bool is_required = false;
  PathBase base = PathBase::kFile;
  std::string doc;
  Mark mark;
};
std::string_view to_string(Parameter::Type type);  // "text", "path", ... as long form writes them

struct RejectsDecl {
  Mark mark;
  std::optional<SourceValue> path;
  std::optional<std::uint64_t> max_items;
  std::optional<double> max_share;  // 0..1
};

// What a graph is before it is checked against the node types: what a file or a program declares,
// with the place of everything that can be wrong.
struct GraphSpec {
  std::string name;
  std::string file;  // as the user named it; empty for a graph built in C++
  std::string
      directory;  // of the file, which its relative paths start from; empty: the working directory
  std::shared_ptr<const std::string> source;  // the file's text; may be null
  std::vector<Parameter> params;
  std::vector<NodeDecl> nodes;
  RejectsDecl rejects;
  std::uint64_t memory_bytes = 2ull << 30;
  int max_in_flight = 64;
};

// The words every node understands, in this version and in later ones.
const std::vector<std::string>& common_words();
// Those of later versions among them.
bool is_later_word(std::string_view word);

}  // namespace sluice
