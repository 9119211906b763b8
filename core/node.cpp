#include "sluice/core/node.h"

namespace sluice {
namespace {

// Adds what was allocated to the account of the item it was allocated for.
template <class T>
Result<T> accounted(Result<T> made, Token* token) {
  if (made && token) {
    token->allocated_bytes.fetch_add(made->size_bytes(), std::memory_order_relaxed);
  }
  return made;
}

}  // namespace

Result<Buffer> Item::allocate(std::size_t size_bytes) {
  return accounted(Buffer::allocate(size_bytes, budget()), token_);
}

Result<Image> Item::allocate_image(int width, int height, int channels) {
  return accounted(Image::allocate(width, height, channels, budget()), token_);
}

Result<Tensor> Item::allocate_tensor(DType dtype, const Shape& shape) {
  return accounted(Tensor::allocate(dtype, shape, budget()), token_);
}

Status Node::process_batch(Context& ctx, std::span<Item> items) {
  for (Item& item : items) {
    Context of_item = ctx.with(item);
    item.set_status(process(of_item));
  }
  return Status::ok();
}

}  // namespace sluice
