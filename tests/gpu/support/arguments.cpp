#include "tests/gpu/support/arguments.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace sluice::gpu_suite {

int main_of(int count, char** words, int (*run)(const Arguments& arguments)) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const bool has_value = word == "--device" || word == "--cache" || word == "--seconds";
    if (has_value && i + 1 == count) {
      std::fprintf(stderr, "%s: %s wants a value\n", words[0], words[i]);
      return 2;
    }
    if (word == "--device") {
      arguments.device = words[++i];
    } else if (word == "--cache") {
      arguments.cache_folder = words[++i];
    } else if (word == "--seconds") {
      arguments.seconds = std::atof(words[++i]);
    } else if (word == "--quick") {
      arguments.is_quick = true;
    } else if (word == "--profile") {
      arguments.has_profile = true;
    } else if (word.starts_with("-")) {
      std::fprintf(stderr,
                   "%s: unknown option %s; there are --device NAME, --cache FOLDER, --seconds N, "
                   "--quick and --profile\n",
                   words[0], words[i]);
      return 2;
    } else {
      arguments.names.emplace_back(word);
    }
  }
  return run(arguments);
}

}  // namespace sluice::gpu_suite
