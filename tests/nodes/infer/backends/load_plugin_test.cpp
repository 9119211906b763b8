#include "sluice/nodes/infer/plugins/load_plugin.h"

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

// Loading plugins, from libraries that tests/support/plugins makes: each has one thing wrong.

namespace sluice::plugins {
namespace {

using testing::FailsWith;
using testing::IsOk;

Folders test_plugins() { return {{"/nowhere", SLUICE_TEST_PLUGINS}, false, false}; }

TEST(LoadPlugin, FindsItInTheFirstFolderThatHasIt) {
  const auto backend = load_plugin("working", test_plugins());

  ASSERT_THAT(backend, IsOk());
  EXPECT_EQ((*backend)->name(), "working");
  EXPECT_THAT((*backend)->load("m.onnx", {}), FailsWith("model.unsupported", "not m.onnx"));
}

TEST(LoadPlugin, SaysWhereItLookedForOneThatIsMissing) {
  EXPECT_THAT(load_plugin("absent", test_plugins()),
              FailsWith("backend.missing", "libsluice_absent.so is not there; searched /nowhere"));
}

TEST(LoadPlugin, NamesBothVersionsWhenTheyDiffer) {
  const auto other = load_plugin("other_version", test_plugins());

  EXPECT_THAT(other, FailsWith("backend.version", "was built for Sluice 0.0.1, this is Sluice"));
  EXPECT_THAT(load_plugin("other_abi", test_plugins()),
              FailsWith("backend.version", "was built for plugin interface 4711"));
}

TEST(LoadPlugin, RefusesALibraryThatIsNoPluginOrAnothersOne) {
  const testing::TempFolder folder;
  folder.write("libsluice_text.so", "no library\n");
  const Folders texts{{folder.path()}, false, false};

  EXPECT_THAT(load_plugin("no_symbol", test_plugins()),
              FailsWith("backend.plugin", "it has no sluice_backend_plugin"));
  EXPECT_THAT(load_plugin("other_name", test_plugins()),
              FailsWith("backend.plugin", "is the plugin of 'somebody'"));
  EXPECT_THAT(load_plugin("text", texts), FailsWith("backend.plugin", "cannot load"));
}

TEST(LoadPlugin, LoadsNoneWhereTheyAreTurnedOff) {
  Folders off = test_plugins();
  off.is_off = true;

  EXPECT_THAT(load_plugin("working", off), FailsWith("backend.missing", "SLUICE_BACKENDS=none"));
}

LibraryName some_library() {
  return {"libworking", {"package/libs"}, "", "pip install working gets it"};
}

TEST(OpenLibrary, SaysHowToGetOneThatIsMissing) {
  const testing::TempFolder folder;
  const auto missing = open_library(some_library(), {{folder.path()}, false, false});

  EXPECT_THAT(missing, FailsWith("backend.library", "libworking.so is not there"));
  EXPECT_THAT(missing, FailsWith("backend.library", "pip install working gets it"));
  EXPECT_THAT(missing, FailsWith("backend.library", "searched " + folder.path()));
}

TEST(OpenLibrary, TakesTheNewestVersionInAFolderOfAPythonPackage) {
  const testing::TempFolder folder;
  const std::string newest = folder.path("package/libs/libworking.so.1.10");
  folder.write("package/libs/libworking.so.1.9", "no library\n");
  std::filesystem::copy(SLUICE_TEST_PLUGINS "/libsluice_working.so", newest);

  const auto opened = open_library(some_library(), {{folder.path()}, false, false});

  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->path, newest);
  EXPECT_NE(opened->symbol("sluice_backend_plugin"), nullptr);
  EXPECT_EQ(opened->symbol("no_such_symbol"), nullptr);
}

TEST(OpenLibrary, PassesOnWhatTheLoaderSaysOfABrokenOne) {
  const testing::TempFolder folder;
  folder.write("libworking.so", "no library\n");

  EXPECT_THAT(open_library(some_library(), {{folder.path()}, false, false}),
              FailsWith("backend.library", "cannot load " + folder.path()));
}

}  // namespace
}  // namespace sluice::plugins
