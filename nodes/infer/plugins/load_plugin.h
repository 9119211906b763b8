#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/plugins/folders.h"

#include <memory>
#include <string>

namespace sluice::plugins {

// Loads libsluice_NAME.so and makes its backend.
// Errors: backend.missing when no folder has it; backend.version when it was built for another
// Sluice; backend.plugin when it cannot be loaded or is no plugin.
Result<std::unique_ptr<Backend>> load_plugin(const std::string& name, const Folders& folders);

}  // namespace sluice::plugins
