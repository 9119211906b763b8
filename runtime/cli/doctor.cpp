#include "sluice/core/cuda_plugin.h"
#include "sluice/core/model.h"
#include "sluice/core/processor.h"
#include "sluice/core/registry.h"
#include "sluice/graphs/values.h"
#include "sluice/runtime/cli/commands.h"
#include "sluice/runtime/cli/output.h"

#include <CLI/Version.hpp>
#include <fmt/format.h>
#include <oneapi/tbb/version.h>
#include <sched.h>
#include <spdlog/version.h>

#include <fstream>
#include <thread>

namespace sluice {
namespace {

std::string line(std::string_view name, std::string_view value) {
  return fmt::format("{:<12}{}\n", name, value);
}

// The value after the first line of `path` that begins with `name`, as in /proc/cpuinfo.
std::string value_in(const char* path, std::string_view name) {
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    if (!text.starts_with(name)) continue;
    const std::size_t colon = text.find(':');
    const std::size_t start = text.find_first_not_of(" \t", colon + 1);
    if (colon != std::string::npos && start != std::string::npos) return text.substr(start);
  }
  return {};
}

std::string cpu_features() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  std::string features;
  const auto add = [&](bool there, std::string_view name) {
    if (there) features += (features.empty() ? "" : " ") + std::string(name);
  };
  add(__builtin_cpu_supports("sse4.2"), "sse4.2");
  add(__builtin_cpu_supports("avx"), "avx");
  add(__builtin_cpu_supports("avx2"), "avx2");
  add(__builtin_cpu_supports("fma"), "fma");
  add(__builtin_cpu_supports("avx512f"), "avx512f");
  add(__builtin_cpu_supports("avx512bw"), "avx512bw");
  add(__builtin_cpu_supports("avx512vnni"), "avx512_vnni");
  add(value_in("/proc/cpuinfo", "flags").find("avx512_bf16") != std::string::npos, "avx512_bf16");
  add(value_in("/proc/cpuinfo", "flags").find("amx_bf16") != std::string::npos, "amx_bf16");
  return features.empty() ? "none of those that kernels use" : features;
#else
  return "not asked on this kind of processor";
#endif
}

// The processors this process may use, and the share of them that a container leaves it.
std::string cores() {
  cpu_set_t allowed;
  const int usable = sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
  std::string text = fmt::format("{} of {}", usable, std::thread::hardware_concurrency());
  std::ifstream quota("/sys/fs/cgroup/cpu.max");
  double time = 0;
  double period = 0;
  if (quota >> time >> period && period > 0)
    text += fmt::format(", limited to {:.1f} by the container", time / period);
  return text;
}

std::string memory() {
  const auto kibibytes = [](const std::string& text) {
    return text.empty() ? 0.0 : std::stod(text) * 1024;
  };
  std::string text = fmt::format("{} free of {}",
                                 format_bytes(kibibytes(value_in("/proc/meminfo", "MemAvailable"))),
                                 format_bytes(kibibytes(value_in("/proc/meminfo", "MemTotal"))));
  std::ifstream limit("/sys/fs/cgroup/memory.max");
  double bytes = 0;
  if (limit >> bytes) text += fmt::format(", limited to {} by the container", format_bytes(bytes));
  return text;
}

std::string backend_lines(const Backend& backend) {
  const Status available = backend.available();
  std::string text = line(std::string(backend.name()),
                          available ? "available" : "not available: " + available.message());
  for (const BackendFact& fact : backend.facts()) text += "    " + line(fact.name, fact.value);
  return text;
}

// 9.19.0 of cuDNN's and cublasLt's 91900.
std::string library_version(std::uint64_t number) {
  return number == 0 ? "not there"
                     : fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

// The message without the step that it begins with, which the line names.
std::string not_available(const Status& status) {
  const std::string& message = status.message();
  return "not available: " + message.substr(message.find(": ") + 2);
}

std::string gpu_lines(const CudaPlugin::Gpu& gpu) {
  const sluice_cuda_device_info& info = gpu.info;
  std::string text =
      line(fmt::format("  cuda:{}", gpu.device),
           fmt::format("{}, compute capability {}.{}, {} multiprocessors, {} free of {}", info.name,
                       info.major, info.minor, info.multiprocessors,
                       format_bytes(static_cast<double>(info.free_bytes)),
                       format_bytes(static_cast<double>(info.memory_bytes))));
  return text + line("    kernels", gpu.status ? "run" : not_available(gpu.status));
}

// The way to a GPU, to where it ends.
std::string cuda_lines() {
  const CudaPlugin::Report report = cuda_plugin().report();
  std::string text;
  for (const CudaPlugin::Step& step : report.steps) {
    text += line("  " + step.name, step.status ? step.found : not_available(step.status));
  }
  if (!report.gpus.empty()) {
    const sluice_cuda_device_info& info = report.gpus.front().info;
    text += line("  cuDNN", library_version(info.cudnn));
    text += line("  cublasLt", library_version(info.cublaslt));
  }
  for (const CudaPlugin::Gpu& gpu : report.gpus) text += gpu_lines(gpu);
  return text;
}

}  // namespace

int doctor_command() {
  std::string text = line("sluice", fmt::format("{} ({}, compiler {})", SLUICE_VERSION,
                                                SLUICE_BUILD_TYPE, __VERSION__));
  text += line("nodes", fmt::format("{} types", node_types().size()));
  text += "\nmachine\n";
  const std::string model = processor_name();
  text += line("  processor", model.empty() ? "unknown" : model);
  text += line("  features", cpu_features());
  text += line("  cores", cores());
  text += line("  memory", memory());
  text += "\nlibraries\n";
  text += line("  oneTBB", TBB_runtime_version());
  text += line("  fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
                                    FMT_VERSION % 100));
  text += line("  spdlog",
               fmt::format("{}.{}.{}", SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH));
  text += line("  CLI11", CLI11_VERSION);
  text += "\ninference backends\n";
  for (const auto& backend : backends()) {
    text += "  " + backend_lines(*backend);
  }
  if (backends().empty()) text += "  none is linked into this program\n";
  text += "\nGPUs\n" + cuda_lines();
  return write_data(text);
}

int version_command() { return write_data(fmt::format("sluice {}\n", SLUICE_VERSION)); }

}  // namespace sluice
