#include "sluice/nodes/image/tensor_step.h"
#include "sluice/runtime/lanes/chain_program.h"

#include "tests/gpu/support/lane_sections.h"
#include "tests/gpu/support/load.h"
#include "tests/gpu/support/report.h"
#include "tests/gpu/support/resident.h"

#include <algorithm>

namespace sluice::gpu_suite {
namespace {

using Programs = std::vector<std::shared_ptr<DeviceProgram>>;

constexpr std::int64_t kHeight = 375, kWidth = 500;

Result<std::vector<Tensor>> frames_of(LaneBench& bench, std::int64_t batch) {
  Result<Tensor> frames = Tensor::allocate(DType::kU8, Shape{batch, kHeight, kWidth, 3});
  if (!frames) return frames.status();
  std::uint8_t value = 0;
  for (std::uint8_t& byte : frames->span<std::uint8_t>())
    byte = value = static_cast<std::uint8_t>(value * 5 + 3);
  Result<Tensor> pinned = to_pinned(*bench.rig().device, *frames);
  if (!pinned) return pinned.status();
  return std::vector{std::move(*pinned)};
}

// What `image.to_tensor` asks of the device, and the network behind it, as they are fused.
Result<Programs> frame_programs(LaneBench& bench, std::size_t lanes) {
  Result<Programs> networks = bench.programs(lanes, Ending::kTopK);
  if (!networks) return networks;
  TensorRecipe recipe;
  recipe.width = recipe.height = static_cast<int>(bench.size());
  recipe.scales.fill({1 / 127.5F, -1});
  Result<Programs> tensors = gpu::make_step_programs(std::make_shared<TensorStep>(recipe),
                                                     "image.to_tensor", *bench.rig().device, lanes);
  if (!tensors) return tensors;
  Programs all;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    all.push_back(std::make_shared<ChainProgram>(std::vector<ChainProgram::Link>{
        {std::move((*tensors)[lane])}, {std::move((*networks)[lane])}}));
  }
  return all;
}

// Frames a second of lanes, and the least of what the link and the model alone can do.
Status throughput(LaneBench& bench, const Programs& programs) {
  const std::int64_t batch = bench.batch(64);
  const Result<std::vector<Tensor>> frames = frames_of(bench, batch);
  if (!frames) return frames.status();
  const std::size_t bytes = frames->front().size_bytes();
  const Result<double> link =
      copy_rate(bench.rig(), MemoryKind::kPinned, bench.rig().device->memory(), bytes);
  if (!link) return link.status();
  Result<Resident> alone = Resident::open(bench.rig(), programs.front(), *frames);
  if (!alone) return alone.status();
  const Result<double> model = alone->runs_a_second(0.1);
  if (!model) return model.status();
  const Result<std::unique_ptr<LaneSet>> set =
      open_lanes(bench.rig(), programs, programs.size(), 3);
  if (!set) return set.status();
  if (Status status = (*set)->reserve(*frames); !status.is_ok()) return status;
  const LoadResult result = put_load({16, 0.5, bench.is_emulated() ? 0.2 : 1.5},
                                     [&](std::size_t) { return through(**set, *frames); });
  if (!result.status.is_ok()) return result.status;
  const auto count = static_cast<double>(batch);
  const double link_runs = *link / static_cast<double>(bytes);
  report("m8.link", link_runs * count, "frames/s");
  report("m8.model", *model * count, "frames/s");
  report("m8.lanes", result.runs_a_second * count, "frames/s");
  report("m8.of_least", result.runs_a_second / std::min(link_runs, *model),
         "of the slower of link and model");
  return Status::ok();
}

// One frame, by hand on one stream, and by way of a lane.
Status latency(LaneBench& bench, const Programs& programs) {
  const Result<std::vector<Tensor>> frames = frames_of(bench, 1);
  if (!frames) return frames.status();
  const Tensor& frame = frames->front();
  Result<Resident> alone = Resident::open(bench.rig(), programs.front(), *frames);
  if (!alone) return alone.status();
  const Result<double> by_hand = alone->round_trip_us(frame, bench.is_emulated() ? 5 : 500);
  if (!by_hand) return by_hand.status();
  const Result<std::unique_ptr<LaneSet>> set = open_lanes(bench.rig(), programs, 1, 2);
  if (!set) return set.status();
  const LoadResult result = put_load({1, 0.3, bench.is_emulated() ? 0.2 : 1.0},
                                     [&](std::size_t) { return through(**set, *frames); });
  if (!result.status.is_ok()) return result.status;
  report("m8.by_hand.p50", *by_hand, "us");
  report("m8.lane.p50", percentile(result.latencies_us, 0.5), "us");
  report("m8.lane.p99", percentile(result.latencies_us, 0.99), "us");
  report("m8.framework", percentile(result.latencies_us, 0.5) - *by_hand, "us");
  return Status::ok();
}

}  // namespace

void measure_frames(LaneBench& bench) {
  const Result<Programs> programs = frame_programs(bench, 4);
  if (!measured("m8.*", programs.status())) return;
  measured("m8.of_least", throughput(bench, *programs));
  measured("m8.framework", latency(bench, *programs));
}

}  // namespace sluice::gpu_suite
