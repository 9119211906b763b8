#include "sluice/nodes/infer/plugins/folders.h"

#include "sluice/nodes/infer/user_cache.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>

namespace sluice::plugins {
namespace {

namespace fs = std::filesystem;

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

void add_listed(std::string_view list, std::vector<fs::path>& folders) {
  while (!list.empty()) {
    const std::size_t colon = std::min(list.find(':'), list.size());
    if (colon > 0) folders.emplace_back(list.substr(0, colon));
    list.remove_prefix(std::min(colon + 1, list.size()));
  }
}

// The folder of the library that this code is in.
fs::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0) return {};
  std::error_code ignored;
  return fs::weakly_canonical(info.dli_fname, ignored).parent_path();
}

fs::path program_folder() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

// Adds it unless it is there: what is installed has the libraries and the program side by side.
void add(const fs::path& folder, std::vector<fs::path>& folders) {
  const fs::path normal = folder.lexically_normal();
  if (std::ranges::find(folders, normal) == folders.end()) folders.push_back(normal);
}

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
  Folders folders;
  const std::string_view listed = environment("SLUICE_BACKENDS");
  if (listed == "none") {
    folders.is_off = true;
    folders.use_system = false;
    return folders;
  }
  add_listed(listed, folders.list);
  add(own_folder() / "sluice", folders.list);
  add(program_folder(), folders.list);
  add(program_folder() / "../lib/sluice", folders.list);
  if (const fs::path cache = user_cache(); !cache.empty()) add(cache / "backends", folders.list);
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
