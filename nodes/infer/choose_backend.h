#pragma once

#include "sluice/core/model.h"

#include <memory>
#include <span>
#include <string>

namespace sluice {

// The model in the backend that runs it.
struct ChosenBackend {
  std::shared_ptr<const Model> model;
  std::string why;  // "it was asked for"
};

// Loads the file into the backend `wanted`, or for "auto" into `native` where that knows all of the
// model's operators, else into the first of `others` that is there and takes the model.
// Errors: those of Backend::available and Backend::load. For "auto" they are native's, since it is
// the one that is always there; what became of the others stands behind them.
Result<ChosenBackend> choose_backend(const std::string& wanted, const std::string& path,
                                     const ModelOptions& options, const Backend* native,
                                     std::span<const Backend* const> others);

}  // namespace sluice
