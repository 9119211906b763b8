#pragma once

#include "sluice/core/model.h"

#include <cstdint>
#include <memory>

// What a backend in a library of its own (libsluice_NAME.so) and the program agree on. The library
// is loaded when a pipeline first asks for the backend, and stays.
namespace sluice::plugins {

// Raised with every change of this file and of the classes that cross it: Backend, Model, Session,
// Tensor, Buffer, Status.
inline constexpr std::uint32_t kAbi = 1;

// One constant object in each plugin. `abi` and `version` come first and are looked at before
// anything else, because what follows may be of another shape in another version.
struct Plugin {
  std::uint32_t abi = kAbi;
  const char* version = nullptr;  // of Sluice; objects of C++ cross, so it has to be the same one
  const char* backend = nullptr;
  std::unique_ptr<Backend> (*make)() = nullptr;
};

// The symbol, of C linkage, under which the library has it.
inline constexpr const char* kSymbol = "sluice_backend_plugin";

}  // namespace sluice::plugins

// Defined once by each plugin.
extern "C" const sluice::plugins::Plugin sluice_backend_plugin;
