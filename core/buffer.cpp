#include "sluice/core/buffer.h"

#include "sluice/core/block_pool.h"

#include <new>
#include <string>

namespace sluice {
namespace {

// Apart, so that the way of every other buffer is short.
[[gnu::noinline, gnu::cold]] Status over_budget(std::size_t size_bytes,
                                                const MemoryBudget& budget) {
  return {Code::kResourceExhausted, "memory.limit",
          std::to_string(size_bytes) + " bytes wanted, " +
              std::to_string(budget.limit_bytes() - budget.used_bytes()) + " of " +
              std::to_string(budget.limit_bytes()) + " left"};
}

[[gnu::noinline, gnu::cold]] Status no_memory(std::size_t size_bytes) {
  return {Code::kResourceExhausted, "memory.exhausted",
          "the machine has no " + std::to_string(size_bytes) + " bytes left"};
}

}  // namespace

bool MemoryBudget::try_charge(std::size_t bytes) {
  std::size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ - used) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));

  std::size_t peak = peak_.load(std::memory_order_relaxed);
  while (used + bytes > peak &&
         !peak_.compare_exchange_weak(peak, used + bytes, std::memory_order_relaxed)) {
  }
  return true;
}

void MemoryBudget::release(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

Result<Buffer> Buffer::allocate(std::size_t size_bytes,
                                const std::shared_ptr<MemoryBudget>& budget) {
  if (budget && !budget->try_charge(size_bytes)) return over_budget(size_bytes, *budget);

  void* block =
      size_bytes > SIZE_MAX - sizeof(Rep) ? nullptr : BlockPool::take(sizeof(Rep) + size_bytes);
  if (!block) {
    if (budget) budget->release(size_bytes);
    return no_memory(size_bytes);
  }
  Rep* rep = new (block) Rep;
  rep->data = static_cast<std::byte*>(block) + sizeof(Rep);
  rep->size_bytes = size_bytes;
  rep->budget = budget;
  return Buffer(rep);
}

// The owner of bytes that are still to be written.
struct Buffer::Pending {
  std::shared_ptr<const void> owner;
  std::shared_ptr<const Event> ready;
};

Buffer Buffer::adopt(void* data, std::size_t size_bytes, MemoryKind kind,
                     std::shared_ptr<const void> owner, int ordinal,
                     std::shared_ptr<const Event> ready) {
  void* block = BlockPool::take(sizeof(Rep));
  if (!block) throw std::bad_alloc();
  Rep* rep = new (block) Rep;
  rep->kind = kind;
  rep->ordinal = static_cast<std::int8_t>(ordinal);
  rep->data = static_cast<std::byte*>(data);
  rep->size_bytes = size_bytes;
  rep->waits = ready != nullptr;
  if (rep->waits) owner = std::make_shared<Pending>(Pending{std::move(owner), std::move(ready)});
  rep->owner = std::move(owner);
  rep->adopted = true;
  return Buffer(rep);
}

const Event* Buffer::ready() const {
  return rep_ && rep_->waits ? static_cast<const Pending*>(rep_->owner.get())->ready.get()
                             : nullptr;
}

void Buffer::give_back(Rep* rep) {
  if (rep->budget) rep->budget->release(rep->size_bytes);
  const std::size_t block_bytes = sizeof(Rep) + (rep->adopted ? 0 : rep->size_bytes);
  rep->~Rep();
  BlockPool::give(rep, block_bytes);
}

}  // namespace sluice
