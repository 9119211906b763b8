#pragma once

#include "sluice/core/device_program.h"
#include "sluice/core/model.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sluice {

// A session as the program of a lane, on devices whose memory the host can reach: the simulated
// one. Threads: as DeviceProgram says. Errors: those of the model.
class SessionProgram final : public DeviceProgram {
 public:
  static Result<std::shared_ptr<DeviceProgram>> create(std::shared_ptr<const Model> model,
                                                       std::string name);

  std::string_view name() const override { return name_; }
  Result<Plan> plan(std::span<const Tensor> inputs) override;
  Status run(const Run& run) override;

 private:
  SessionProgram(std::shared_ptr<const Model> model, std::string name,
                 std::unique_ptr<Session> session)
      : model_(std::move(model)), name_(std::move(name)), session_(std::move(session)) {}

  const std::shared_ptr<const Model> model_;
  const std::string name_;
  const std::unique_ptr<Session> session_;

  std::mutex mutex_;
  std::map<std::vector<std::int64_t>, Plan> plans_;  // by the inputs' extents
};

}  // namespace sluice
