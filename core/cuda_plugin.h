#pragma once

#include "sluice/core/cuda_abi.h"
#include "sluice/core/plugin_folders.h"
#include "sluice/core/status.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

// The way from this program to the machine's GPUs, which no symbol of CUDA in it leads to. Step
// after step, each only when somebody asks for it and once: the driver (libcuda.so.1 and cuInit),
// its devices, the plugin (libsluice_cuda.so), its interface and version, its CUDA runtime, a
// device, a kernel. What was loaded is never unloaded.
// Errors: device.unavailable, "STEP: what is wrong; what to do", in one line.
// Threads: thread-safe. Blocks: for what is loaded, and for the kernel.
class CudaPlugin {
 public:
  // What it looks for; tests have others.
  struct Libraries {
    std::string driver = "libcuda.so.1";
    PluginFolders folders = plugin_folders();
  };
  CudaPlugin() : CudaPlugin(Libraries()) {}
  explicit CudaPlugin(Libraries libraries) : libraries_(std::move(libraries)) {}

  // Ok where there is a driver that counts a device, which says nothing of the plugin. Not where
  // SLUICE_BACKENDS=none turns plugins off: nothing is asked then.
  Status driver() const;
  // The table, once there are a driver, a device and the plugin that belongs to this program.
  Result<const sluice_cuda_api*> api() const;
  // The same when a kernel has run on this device.
  Result<const sluice_cuda_api*> api(int device) const;

  // For `sluice doctor`: how far it goes.
  struct Step {
    std::string name;  // "driver"
    std::string found;
    Status status;
  };
  struct Gpu {
    int device = 0;
    sluice_cuda_device_info info{};
    Status status;  // of its kernel
  };
  struct Report {
    std::vector<Step> steps;  // to the first that fails
    std::vector<Gpu> gpus;
  };
  Report report() const;

 private:
  struct Driver {
    std::vector<Step> steps;
    int devices = 0;
  };
  struct Plugin {
    std::vector<Step> steps;
    const sluice_cuda_api* api = nullptr;
  };
  static Driver ask_driver(const Libraries& libraries);
  static Plugin load(const PluginFolders& folders);
  // The lock is held for these.
  const Driver& driver_asked() const;
  const Plugin& plugin_loaded() const;
  Status probed(int device) const;

  const Libraries libraries_;
  mutable std::mutex mutex_;
  mutable std::optional<Driver> driver_;
  mutable std::optional<Plugin> plugin_;
  mutable std::map<int, Status> kernels_;  // by device
};

// The process' own.
const CudaPlugin& cuda_plugin();

}  // namespace sluice
