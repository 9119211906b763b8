#include "sluice/runtime/lanes/device_pool.h"

#include <bit>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kSmallest = 4096;

// Four sizes for each power of two, so that at most a fifth of a block is of no use.
std::size_t class_of(std::size_t size_bytes) {
  if (size_bytes <= kSmallest) return kSmallest;
  const std::size_t step = std::bit_floor(size_bytes - 1) / 4;
  return (size_bytes + step - 1) / step * step;
}

}  // namespace

// Keeps a block for the tensors that share it.
struct DevicePool::Lease {
  Lease(std::weak_ptr<DevicePool> from, Buffer bytes)
      : pool(std::move(from)), block(std::move(bytes)) {}
  ~Lease() {
    if (const auto alive = pool.lock()) alive->give_back(std::move(block));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  std::weak_ptr<DevicePool> pool;
  Buffer block;
};

Result<DevicePool::Taken> DevicePool::take(std::size_t size_bytes) {
  const std::size_t size = class_of(size_bytes);
  Buffer block;
  {
    const std::scoped_lock lock(mutex_);
    std::vector<Buffer>& free = free_[size];
    if (!free.empty()) {
      block = std::move(free.back());
      free.pop_back();
    }
  }
  const bool is_new = !block;
  if (is_new) {
    Result<Buffer> made = device_->allocate(device_->memory(), size, nullptr);
    if (!made && made.status().code() == Code::kResourceExhausted) {
      std::map<std::size_t, std::vector<Buffer>> kept;
      {
        const std::scoped_lock lock(mutex_);
        kept.swap(free_);
      }
      kept.clear();
      made = device_->allocate(device_->memory(), size, nullptr);
    }
    if (!made) return made.status();
    block = std::move(*made);
  }
  std::byte* const data = block.data();
  const int ordinal = block.ordinal();
  return Taken{Buffer::adopt(data, size, device_->memory(),
                             std::make_shared<Lease>(weak_from_this(), std::move(block)), ordinal),
               is_new};
}

void DevicePool::give_back(Buffer block) {
  const std::scoped_lock lock(mutex_);
  std::vector<Buffer>& free = free_[block.size_bytes()];
  free.push_back(std::move(block));
}

}  // namespace sluice
