#pragma once

#include "sluice/core/status.h"

#include <filesystem>
#include <string>
#include <vector>

namespace sluice {

// Where libraries that a program loads only when it needs them are looked for.
struct PluginFolders {
  std::vector<std::filesystem::path> list;  // first come, first searched
  bool use_system = true;                   // then the system's own search for libraries
  bool is_off = false;                      // SLUICE_BACKENDS=none: no plugin is to be used
};

// The folders of the variable SLUICE_BACKENDS, divided by colons (a Python environment's
// site-packages will do); then sluice/ beside the engine's library, the program's folder, and
// ../lib/sluice from there.
PluginFolders plugin_folders();

// Adds it unless it is there: what is installed has the libraries and the program side by side.
void add_folder(const std::filesystem::path& folder, PluginFolders& folders);

// The first libsluice_NAME.so in them.
// Errors: backend.missing, with the folders that were searched.
Result<std::filesystem::path> find_plugin(const std::string& name, const PluginFolders& folders);

}  // namespace sluice
