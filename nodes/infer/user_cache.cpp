#include "sluice/nodes/infer/user_cache.h"

#include <cstdlib>

namespace sluice {
namespace {

std::filesystem::path folder_in(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

}  // namespace

std::filesystem::path user_cache() {
  // A relative path is to be taken for none.
  if (const auto cache = folder_in("XDG_CACHE_HOME"); cache.is_absolute()) return cache / "sluice";
  if (const auto home = folder_in("HOME"); !home.empty()) return home / ".cache/sluice";
  return {};
}

}  // namespace sluice
