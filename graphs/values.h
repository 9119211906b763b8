#pragma once

#include "sluice/core/options.h"
#include "sluice/graphs/source_value.h"

#include <string>
#include <variant>
#include <vector>

namespace sluice {

// Why a value is not what is due; without a code where that has been reported already. `found` and
// `expected` are in the message.
struct ValueProblem {
  std::string code;
  std::string message;
  std::string suggestion;
  std::string help;
  Mark mark;
  std::string origin;
};

// A value, or what is wrong with what was written.
template <class T>
using Read = std::variant<T, ValueProblem>;

// The values of the language. YAML 1.2 in its core schema, so that `no` and `010` are text; each
// problem says how YAML took what was written. `name` is what the value is of, for messages:
// "`width`".
Read<bool> read_bool(const SourceValue& value, std::string_view name);
Read<std::int64_t> read_int(const SourceValue& value, std::string_view name);
Read<double> read_number(const SourceValue& value, std::string_view name);       // "0.5", "5%"
Read<Duration> read_duration(const SourceValue& value, std::string_view name);   // "5ms"
Read<ByteSize> read_byte_size(const SourceValue& value, std::string_view name);  // "512MiB"
Read<std::string> read_word(const SourceValue& value, std::string_view name,
                            const std::vector<std::string>& choices);

// Where relative paths lead.
struct PathContext {
  std::string file_directory;  // of the graph's file; empty is the working directory
};
// `text` relative to what its value says; "-" and absolute paths stay.
std::string resolve_path(const std::string& text, PathBase base, const PathContext& paths);

// The value as a node's spec wants it.
Read<OptionValue> read_option(const SourceValue& value, const OptionConstant& option,
                              const PathContext& paths);

// "3.5", "1000": shortest, without a trailing ".0".
std::string format_number(double number);
// "64 MiB", "2 GiB", "123 B".
std::string format_bytes(double bytes);

}  // namespace sluice
