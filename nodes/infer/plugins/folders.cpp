#include "sluice/nodes/infer/plugins/folders.h"

#include "sluice/nodes/infer/user_cache.h"

#include <dlfcn.h>

#include <cstring>
#include <optional>
#include <system_error>

namespace sluice::plugins {
namespace {

namespace fs = std::filesystem;

// The newest of the versions of a library in a folder.
std::optional<fs::path> library_in(const fs::path& folder, const std::string& stem) {
  std::optional<fs::path> newest;
  std::error_code ignored;
  for (fs::directory_iterator it(folder, ignored), end; it != end; it.increment(ignored)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(stem + ".so")) continue;
    if (!newest || strverscmp(newest->filename().c_str(), name.c_str()) < 0) newest = it->path();
  }
  return newest;
}

std::optional<fs::path> find_library(const LibraryName& name, const Folders& folders) {
  for (const fs::path& folder : folders.list) {
    for (const std::string& subfolder : name.subfolders) {
      if (auto found = library_in(folder / subfolder, name.stem)) return found;
    }
    if (auto found = library_in(folder, name.stem)) return found;
  }
  return std::nullopt;
}

Status not_loadable(const std::string& library) {
  const char* words = dlerror();
  return {Code::kUnavailable, "backend.library",
          "cannot load " + library + ": " + (words == nullptr ? "unknown" : words)};
}

}  // namespace

Folders backend_folders() {
  Folders folders = plugin_folders();
  const fs::path cache = user_cache();
  if (!folders.is_off && !cache.empty()) add_folder(cache / "backends", folders);
  return folders;
}

void* OpenLibrary::symbol(const char* name) const { return dlsym(handle, name); }

// RTLD_NOW: a symbol that is missing, such as one of a newer oneTBB, is an error now and not a
// crash later. RTLD_LOCAL: what the library has is for those who ask it, and hides nobody's.
Result<OpenLibrary> open_library(const LibraryName& name, const Folders& folders) {
  constexpr int kHow = RTLD_NOW | RTLD_LOCAL;
  if (const auto found = find_library(name, folders)) {
    if (void* handle = dlopen(found->c_str(), kHow)) return OpenLibrary{handle, *found};
    return not_loadable(found->string());
  }
  if (folders.use_system && !name.system_name.empty()) {
    if (void* handle = dlopen(name.system_name.c_str(), kHow)) {
      return OpenLibrary{handle, name.system_name};
    }
  }
  std::string searched;
  for (const fs::path& folder : folders.list) {
    searched += (searched.empty() ? "" : ", ") + folder.string();
  }
  return Status(Code::kUnavailable, "backend.library",
                name.stem + ".so is not there (" + name.how_to_get + "); searched " + searched);
}

}  // namespace sluice::plugins
