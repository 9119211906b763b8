#include "sluice/core/cuda_plugin.h"

#include <dlfcn.h>

#include <string_view>

namespace sluice {
namespace {

namespace fs = std::filesystem;

using Step = CudaPlugin::Step;

// "plugin: cannot load it; get another"
Step failed(const std::string& step, const std::string& what, const std::string& advice) {
  return {step, {}, {Code::kUnavailable, "device.unavailable", step + ": " + what + "; " + advice}};
}

std::string loader_words() {
  const char* const words = dlerror();
  return words == nullptr ? "the loader does not say why" : words;
}

// What is asked of libcuda.so.1. Its results are an enum of C's; 0 is success (cuda.h, CUresult).
struct DriverFunctions {
  explicit DriverFunctions(void* library)
      : init(reinterpret_cast<int (*)(unsigned)>(dlsym(library, "cuInit"))),
        count(reinterpret_cast<int (*)(int*)>(dlsym(library, "cuDeviceGetCount"))),
        version(reinterpret_cast<int (*)(int*)>(dlsym(library, "cuDriverGetVersion"))),
        words(reinterpret_cast<int (*)(int, const char**)>(dlsym(library, "cuGetErrorString"))) {}

  bool are_there() const { return init && count && version && words; }
  std::string words_of(const char* call, int result) const {
    const char* text = nullptr;
    const bool is_known = words(result, &text) == 0 && text != nullptr;
    return std::string(call) + " gives " + std::to_string(result) +
           (is_known ? " (" + std::string(text) + ")" : std::string());
  }

  int (*init)(unsigned);
  int (*count)(int*);
  int (*version)(int*);
  int (*words)(int, const char**);
};

// CUDA's way to write 13.0 as one number.
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

constexpr const char* kSeeSmi = "see whether nvidia-smi lists a GPU";

Step check_interface(const sluice_cuda_api& api, const std::string& path) {
  // The numbers come first in every version of the table; what follows may be of another shape.
  const bool same_abi = api.abi == SLUICE_CUDA_ABI;
  if (!same_abi || std::string_view(api.version) != SLUICE_VERSION) {
    return failed("interface",
                  path + " was built for " +
                      (same_abi ? "Sluice " + std::string(api.version)
                                : "interface " + std::to_string(api.abi)) +
                      ", this is Sluice " SLUICE_VERSION " with interface " +
                      std::to_string(SLUICE_CUDA_ABI),
                  "put the one there that was built with this program");
  }
  return {"interface", "Sluice " SLUICE_VERSION ", interface " + std::to_string(SLUICE_CUDA_ABI),
          Status::ok()};
}

Step check_runtime(const sluice_cuda_api& api) {
  int32_t devices = 0;
  if (api.device_count(&devices) != SLUICE_CUDA_OK) {
    return failed("runtime", api.last_error(), "see whether the driver is new enough for it");
  }
  if (devices == 0) return failed("runtime", "it counts no device", kSeeSmi);
  return {"runtime", "counts " + std::to_string(devices), Status::ok()};
}

}  // namespace

CudaPlugin::Driver CudaPlugin::ask_driver(const Libraries& libraries) {
  if (libraries.folders.is_off) {
    return {{failed("plugin", find_plugin("cuda", libraries.folders).status().message(),
                    "unset the variable")}};
  }
  void* const library = dlopen(libraries.driver.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return {{failed("driver", loader_words(),
                    "install NVIDIA's driver, or hand the GPUs into the container")}};
  }
  const DriverFunctions functions(library);
  if (!functions.are_there()) {
    return {{failed("driver", libraries.driver + " lacks functions of CUDA's driver",
                    "install NVIDIA's driver")}};
  }
  if (const int result = functions.init(0); result != 0) {
    return {{failed("driver", functions.words_of("cuInit", result), kSeeSmi)}};
  }
  Driver driver;
  int version = 0;
  static_cast<void>(functions.version(&version));
  driver.steps.push_back({"driver", "CUDA " + version_text(version), Status::ok()});
  if (const int result = functions.count(&driver.devices); result != 0) {
    driver.steps.push_back(
        failed("devices", functions.words_of("cuDeviceGetCount", result), kSeeSmi));
  } else if (driver.devices == 0) {
    driver.steps.push_back(failed("devices", "the driver counts none",
                                  "see what nvidia-smi lists and CUDA_VISIBLE_DEVICES says"));
  } else {
    driver.steps.push_back({"devices", std::to_string(driver.devices), Status::ok()});
  }
  return driver;
}

CudaPlugin::Plugin CudaPlugin::load(const PluginFolders& folders) {
  const Result<fs::path> path = find_plugin("cuda", folders);
  if (!path) {
    return {{failed("plugin", path.status().message(),
                    "build it with SLUICE_CUDA=ON, or name its folder in SLUICE_BACKENDS")}};
  }
  // RTLD_NOW: a library or symbol that is missing is an error now and not a crash later.
  void* const library = dlopen(path->c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return {{failed("plugin", "cannot load " + path->string() + ": " + loader_words(),
                    "install the CUDA toolkit and cuDNN 9 that it was built with, or name their "
                    "folders in LD_LIBRARY_PATH")}};
  }
  const auto table = reinterpret_cast<decltype(&sluice_cuda)>(dlsym(library, "sluice_cuda"));
  if (table == nullptr) {
    return {{failed("plugin", path->string() + " is no CUDA plugin: it has no sluice_cuda",
                    "put the one there that was built with this program")}};
  }
  Plugin plugin;
  plugin.steps.push_back({"plugin", path->string(), Status::ok()});
  const sluice_cuda_api& api = *table();
  plugin.steps.push_back(check_interface(api, path->string()));
  if (plugin.steps.back().status.is_ok()) plugin.steps.push_back(check_runtime(api));
  if (plugin.steps.back().status.is_ok()) plugin.api = &api;
  return plugin;
}

const CudaPlugin::Driver& CudaPlugin::driver_asked() const {
  if (!driver_) driver_ = ask_driver(libraries_);
  return *driver_;
}

const CudaPlugin::Plugin& CudaPlugin::plugin_loaded() const {
  if (!plugin_) plugin_ = load(libraries_.folders);
  return *plugin_;
}

Status CudaPlugin::driver() const {
  const std::scoped_lock lock(mutex_);
  return driver_asked().steps.back().status;
}

Result<const sluice_cuda_api*> CudaPlugin::api() const {
  const std::scoped_lock lock(mutex_);
  if (const Step& last = driver_asked().steps.back(); !last.status.is_ok()) return last.status;
  if (const Step& last = plugin_loaded().steps.back(); !last.status.is_ok()) return last.status;
  return plugin_loaded().api;
}

Result<const sluice_cuda_api*> CudaPlugin::api(int device) const {
  Result<const sluice_cuda_api*> found = api();
  if (!found) return found;
  const std::scoped_lock lock(mutex_);
  if (Status status = probed(device); !status.is_ok()) return status;
  return found;
}

// REQUIRES: the plugin was loaded.
Status CudaPlugin::probed(int device) const {
  const auto known = kernels_.find(device);
  if (known != kernels_.end()) return known->second;
  const sluice_cuda_api& api = *plugin_->api;
  const std::string name = "cuda:" + std::to_string(device);
  Status status;
  int32_t devices = 0;
  if (api.device_count(&devices) != SLUICE_CUDA_OK || device < 0 || device >= devices) {
    status = failed("device", "there is no " + name,
                    devices == 1 ? "there is cuda:0 alone"
                                 : "there are cuda:0 to cuda:" + std::to_string(devices - 1))
                 .status;
  } else if (const int result = api.probe(device); result != SLUICE_CUDA_OK) {
    status = failed("kernel", "none runs on " + name + ": " + api.last_error(),
                    result == SLUICE_CUDA_UNSUPPORTED
                        ? "build the plugin for its compute capability (CMAKE_CUDA_ARCHITECTURES)"
                        : "see what nvidia-smi and dmesg say of it")
                 .status;
  }
  return kernels_.emplace(device, std::move(status)).first->second;
}

CudaPlugin::Report CudaPlugin::report() const {
  const std::scoped_lock lock(mutex_);
  Report report;
  report.steps = driver_asked().steps;
  if (!report.steps.back().status.is_ok()) return report;
  const Plugin& plugin = plugin_loaded();
  report.steps.insert(report.steps.end(), plugin.steps.begin(), plugin.steps.end());
  if (plugin.api == nullptr) return report;
  int32_t devices = 0;
  static_cast<void>(plugin.api->device_count(&devices));
  for (int device = 0; device < devices; ++device) {
    Gpu gpu{device, {}, probed(device)};
    if (plugin.api->device_info(device, &gpu.info) != SLUICE_CUDA_OK && gpu.status.is_ok()) {
      gpu.status = failed("device", plugin.api->last_error(), kSeeSmi).status;
    }
    report.gpus.push_back(std::move(gpu));
  }
  return report;
}

// Never destroyed: lanes that outlive the static objects may still call what it loaded.
const CudaPlugin& cuda_plugin() {
  static const CudaPlugin& plugin = *new CudaPlugin;
  return plugin;
}

}  // namespace sluice
