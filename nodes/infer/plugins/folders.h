#pragma once

#include "sluice/core/plugin_folders.h"
#include "sluice/core/status.h"

#include <filesystem>
#include <string>
#include <vector>

namespace sluice::plugins {

// Where plugins, and the libraries they run, are looked for: the program's own folders for them,
// then where cmake/fetch_backends.sh unpacks.
using Folders = PluginFolders;
Folders backend_folders();

// A library that was opened; it is never closed, since threads and thread-local objects of it may
// outlive any use.
struct OpenLibrary {
  void* handle = nullptr;
  std::filesystem::path path;

  // Null when it has no such symbol.
  void* symbol(const char* name) const;
};

// A library of somebody else: the file name up to ".so", where it lies below a folder, and what to
// say about getting it.
struct LibraryName {
  std::string stem;                     // "libonnxruntime"
  std::vector<std::string> subfolders;  // "onnxruntime/capi"; the folder itself is searched too
  std::string system_name;              // what the system's search is asked for
  std::string how_to_get;
};

// Opens the first that is there. Of several versions in one folder the newest counts.
// Errors: backend.library, with the folders that were searched and how to get it, or with the
// loader's own words where a library is there that cannot be loaded.
Result<OpenLibrary> open_library(const LibraryName& name, const Folders& folders);

}  // namespace sluice::plugins
