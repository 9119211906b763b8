#include "sluice/core/cuda_plugin.h"

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <thread>
#include <vector>

// The way to a GPU, over libraries that tests/support/plugins makes: each has one thing wrong.

namespace sluice {
namespace {

using testing::FailsWith;
using ::testing::HasSubstr;
using testing::IsOk;

const std::string kFakes = SLUICE_FAKE_CUDA;

CudaPlugin plugin_with(const std::string& driver, const std::string& plugin) {
  return CudaPlugin(
      {kFakes + "/" + driver + "/libcuda.so.1", {{kFakes + "/" + plugin}, false, false}});
}

TEST(CudaPlugin, GivesTheTableWhenEveryStepHasGoneWell) {
  const CudaPlugin plugin = plugin_with("driver", "plugin");

  const auto api = plugin.api(0);

  ASSERT_THAT(api, IsOk());
  EXPECT_EQ((*api)->abi, static_cast<std::uint32_t>(SLUICE_CUDA_ABI));
  EXPECT_EQ(*api, *plugin.api());
}

// Where the way ends, and what is said there.
struct DeadEnd {
  std::string driver, plugin, message, advice;
};
std::ostream& operator<<(std::ostream& out, const DeadEnd& end) {
  return out << end.driver << ", " << end.plugin;
}

class CudaPluginFails : public ::testing::TestWithParam<DeadEnd> {};

TEST_P(CudaPluginFails, WithTheStepAndWhatToDo) {
  const DeadEnd& end = GetParam();

  const auto api = plugin_with(end.driver, end.plugin).api(0);

  EXPECT_THAT(api, FailsWith("device.unavailable", end.message));
  EXPECT_THAT(api.status().message(), HasSubstr("; " + end.advice));
  EXPECT_EQ(api.status().message().find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Steps, CudaPluginFails,
    ::testing::Values(
        DeadEnd{"nowhere", "plugin", "driver: " + kFakes + "/nowhere/libcuda.so.1: cannot open",
                "install NVIDIA's driver"},
        DeadEnd{"driver_without_symbols", "plugin", "lacks functions of CUDA's driver",
                "install NVIDIA's driver"},
        DeadEnd{"driver_without_gpu", "plugin",
                "driver: cuInit gives 100 (no CUDA-capable device is detected)",
                "see whether nvidia-smi"},
        DeadEnd{"driver_with_hidden_gpus", "plugin", "devices: the driver counts none",
                "see what nvidia-smi lists and CUDA_VISIBLE_DEVICES says"},
        DeadEnd{"driver", "nowhere",
                "plugin: libsluice_cuda.so is not there; searched " + kFakes + "/nowhere",
                "build it with SLUICE_CUDA=ON"},
        DeadEnd{"driver", "plugin_without_symbol", "is no CUDA plugin: it has no sluice_cuda",
                "put the one there"},
        DeadEnd{"driver", "plugin_of_other_interface", "was built for interface 4711, this is",
                "put the one there"},
        DeadEnd{"driver", "plugin_of_other_version", "was built for Sluice 0.0.1, this is Sluice",
                "put the one there"},
        DeadEnd{"driver", "plugin_with_old_driver",
                "runtime: cudaGetDeviceCount: CUDA driver version is insufficient",
                "see whether the driver is new enough"},
        DeadEnd{"driver", "plugin_without_kernel", "kernel: none runs on cuda:0: launch of",
                "build the plugin for its compute capability"}));

TEST(CudaPlugin, SaysWhyALibraryCannotBeLoaded) {
  const testing::TempFolder folder;
  folder.write("libsluice_cuda.so", "no library\n");
  const CudaPlugin plugin({kFakes + "/driver/libcuda.so.1", {{folder.path()}, false, false}});

  EXPECT_THAT(plugin.api(),
              FailsWith("device.unavailable", "plugin: cannot load " + folder.path()));
}

TEST(CudaPlugin, AsksNothingWherePluginsAreTurnedOff) {
  const CudaPlugin plugin({kFakes + "/driver/libcuda.so.1", {{kFakes + "/plugin"}, false, true}});

  EXPECT_THAT(plugin.driver(), FailsWith("device.unavailable", "SLUICE_BACKENDS=none"));
  EXPECT_EQ(plugin.report().steps.size(), 1u);
}

TEST(CudaPlugin, KnowsOfADriverWithoutAPlugin) {
  EXPECT_THAT(plugin_with("driver", "nowhere").driver(), IsOk());
  EXPECT_THAT(plugin_with("nowhere", "plugin").driver(), FailsWith("device.unavailable"));
}

TEST(CudaPlugin, JudgesEachDeviceByItself) {
  const CudaPlugin plugin = plugin_with("driver", "plugin");

  EXPECT_THAT(plugin.api(0), IsOk());
  EXPECT_THAT(plugin.api(1), FailsWith("device.unavailable", "kernel: none runs on cuda:1"));
  EXPECT_THAT(plugin.api(2), FailsWith("device.unavailable",
                                       "device: there is no cuda:2; there are cuda:0 to cuda:1"));
}

TEST(CudaPlugin, ReportsTheStepsToTheFirstThatFails) {
  const auto names = [](const CudaPlugin::Report& report) {
    std::string text;
    for (const auto& step : report.steps) text += step.name + (step.status.is_ok() ? " " : "!");
    return text;
  };
  const auto good = plugin_with("driver", "plugin").report();

  EXPECT_EQ(names(good), "driver devices plugin interface runtime ");
  ASSERT_EQ(good.gpus.size(), 2u);
  EXPECT_STREQ(good.gpus[0].info.name, "Fake H100");
  EXPECT_THAT(good.gpus[0].status, IsOk());
  EXPECT_THAT(good.gpus[1].status, FailsWith("device.unavailable", "kernel"));
  EXPECT_EQ(names(plugin_with("driver_without_gpu", "plugin").report()), "driver!");
  EXPECT_EQ(names(plugin_with("driver", "plugin_of_other_version").report()),
            "driver devices plugin interface!");
}

TEST(CudaPlugin, MayBeAskedByManyThreads) {
  const CudaPlugin plugin = plugin_with("driver", "plugin");
  std::vector<const sluice_cuda_api*> found(4);
  {
    std::vector<std::jthread> threads;
    for (auto& api : found) {
      threads.emplace_back([&plugin, &api] {
        const auto asked = plugin.api(0);
        api = asked ? *asked : nullptr;
      });
    }
  }

  EXPECT_NE(found[0], nullptr);
  EXPECT_THAT(found, ::testing::Each(found[0]));
}

}  // namespace
}  // namespace sluice
