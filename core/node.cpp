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

std::vector<Status> Node::process_batch(Context& ctx, std::span<Item> items) {
  std::vector<Status> statuses;
  statuses.reserve(items.size());
  for (Item& item : items) {
    Context of_item = ctx.with(item);
    statuses.push_back(process(of_item));
  }
  return statuses;
}

}  // namespace sluice
