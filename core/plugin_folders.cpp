#include "sluice/core/plugin_folders.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace sluice {
namespace {

namespace fs = std::filesystem;

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

Status missing(std::string message) {
  return {Code::kUnavailable, "backend.missing", std::move(message)};
}

}  // namespace

void add_folder(const fs::path& folder, PluginFolders& folders) {
  const fs::path normal = folder.lexically_normal();
  if (std::ranges::find(folders.list, normal) == folders.list.end()) {
    folders.list.push_back(normal);
  }
}

PluginFolders plugin_folders() {
  PluginFolders folders;
  const char* const value = std::getenv("SLUICE_BACKENDS");
  const std::string_view listed = value == nullptr ? std::string_view() : value;
  if (listed == "none") {
    folders.is_off = true;
    folders.use_system = false;
    return folders;
  }
  add_listed(listed, folders.list);
  add_folder(own_folder() / "sluice", folders);
  add_folder(program_folder(), folders);
  add_folder(program_folder() / "../lib/sluice", folders);
  return folders;
}

Result<fs::path> find_plugin(const std::string& name, const PluginFolders& folders) {
  const std::string file = "libsluice_" + name + ".so";
  if (folders.is_off) return missing("SLUICE_BACKENDS=none turns " + file + " off");
  std::string searched;
  for (const fs::path& folder : folders.list) {
    std::error_code ignored;
    if (fs::is_regular_file(folder / file, ignored)) return folder / file;
    searched += (searched.empty() ? "" : ", ") + folder.string();
  }
  return missing(file + " is not there; searched " + searched);
}

}  // namespace sluice
