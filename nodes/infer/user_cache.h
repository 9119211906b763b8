#pragma once

#include <filesystem>

namespace sluice {

// Where this user's programs keep what they can make again, and Sluice among them: the folder
// `sluice` of $XDG_CACHE_HOME, or of ~/.cache (XDG Base Directory Specification 0.8). It need not
// be there. Empty when the environment names neither.
std::filesystem::path user_cache();

}  // namespace sluice
