#pragma once

#include "sluice/runtime/app_ports.h"
#include "sluice/runtime/host.h"

#include <memory>
#include <semaphore>
#include <thread>

namespace sluice {

// Hosts a source: makes an item when the pipeline lets one in and its readers have room. A source
// that may wait has a thread of its own; the others run on the pool.
class SourceHost final : public Host, private AppInput::Puller {
 public:
  // `index`: among the sources.
  SourceHost(Engine& engine, PlanNode& node, std::size_t place, std::size_t index,
             std::vector<std::vector<Channel*>> outputs);
  ~SourceHost() override;

  Status open() override;
  void start() override;
  Status close() override;
  void end_thread() override;
  std::stop_token stop() override;
  std::optional<std::uint64_t> total() const { return node_.total(); }
  std::string waiting_for() const override;

 private:
  Step step() override;
  void schedule(bool after_others) override;
  Step make_burst();
  std::int64_t items_of_a_turn() const;
  std::int64_t make_items(std::int64_t most, Step& next);
  Step wait_for_items();
  bool comes_to_its_end();
  Next make_item();
  bool is_stopped() const;
  void send(TokenRef token);
  void thread_loop();
  void input_came() override { wake_and_help(); }

  Node& node_;
  const bool blocking_;
  AppInput* const app_input_;  // null: no program pushes
  const std::uint64_t limit_;
  const std::size_t index_;
  std::size_t last_read_ = 0;  // of the outputs that somebody reads
  std::uint64_t number_ = 0;   // of the next item
  std::vector<Emission> emissions_;
  bool ended_ = false;

  std::counting_semaphore<> work_{0};  // wakes of the thread
  std::atomic<bool> leaving_{false};
  std::jthread thread_;
};

}  // namespace sluice
