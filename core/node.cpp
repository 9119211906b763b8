#include "sluice/core/node.h"

namespace sluice {
namespace {

// Adds what was allocated to the account of the item it was allocated for.
template <class T>
Result<T> accounted(Result<T> made, Item& item) {
  if (made) item.count_allocated(made->size_bytes());
  return made;
}

}  // namespace

void Item::count_allocated(std::size_t size_bytes) {
  if (token_) token_->allocated_bytes.fetch_add(size_bytes, std::memory_order_relaxed);
}

Result<Buffer> Item::allocate(std::size_t size_bytes) {
  return accounted(Buffer::allocate(size_bytes, budget()), *this);
}

Result<Image> Item::allocate_image(int width, int height, int channels) {
  return accounted(Image::allocate(width, height, channels, budget()), *this);
}

Result<Tensor> Item::allocate_tensor(DType dtype, const Shape& shape) {
  return accounted(Tensor::allocate(dtype, shape, budget()), *this);
}

Status Node::process_batch(Context& ctx, std::span<Item> items) {
  for (Item& item : items) {
    Context of_item = ctx.with(item);
    item.set_status(process(of_item));
  }
  return Status::ok();
}

}  // namespace sluice
