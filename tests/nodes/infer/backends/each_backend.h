#pragma once

#include "sluice/core/model.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::testing {

// Tests that every backend has to pass. Those whose plugin or library is not there are skipped, and
// say what is missing.
class EachBackend : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    backend_ = find_backend(GetParam());
    ASSERT_NE(backend_, nullptr);
    if (const Status there = backend_->available(); !there) GTEST_SKIP() << there.message();
  }
  const Backend& backend() const { return *backend_; }

 private:
  const Backend* backend_ = nullptr;
};

inline auto all_backends() { return ::testing::Values("native", "openvino", "onnxruntime"); }
inline std::string backend_of(const ::testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace sluice::testing
