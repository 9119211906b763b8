#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace sluice::kernels {

inline constexpr std::size_t kAlignment = 64;

inline constexpr std::size_t align_up(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// A fixed array of floats on a cache line's boundary, zero at first.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(std::int64_t size)
      : data_(static_cast<float*>(
            ::operator new (align_up(static_cast<std::size_t>(size) * sizeof(float) + 1),
                            std::align_val_t{kAlignment}))) {
    for (std::int64_t i = 0; i < size; ++i) data_.get()[i] = 0.0f;
  }

  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* data) const { ::operator delete (data, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<float, Free> data_;
};

}  // namespace sluice::kernels
