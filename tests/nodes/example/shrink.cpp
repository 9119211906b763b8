// example.shrink: makes a picture smaller by a whole factor.
//   small: { type: example.shrink, from: photo, factor: 4 }
// Each pixel is the mean of factor x factor pixels. Related: image.to_tensor.
#include "sluice/core/registry.h"

namespace sluice {
namespace {

class Shrink final : public Node {
 public:
  inline static const In<Image> image{"image", "the picture to make smaller"};
  inline static const Out<Image> out{"out", "the smaller picture"};
  inline static const Option<int> factor =
      Option<int>("factor", "how many pixels become one, along each side")
          .range(2, 64)
          .or_default(2);
  inline static const Spec kSpec =
      Spec("example.shrink", "Makes a picture smaller by a whole factor.")
          .ports(image, out)
          .options(factor)
          .stateless()
          .notes("What is left over at the right and at the bottom is cut off.")
          .rejects("shrink.too_small", "a side of the picture is less than the factor")
          .example(R"(version: 1
nodes:
  files: { type: files, glob: "./photos/*.jpg", allow_empty: true }
  photo: { type: image.decode, from: files }
  small: { type: example.shrink, from: photo, factor: 4 }
  out:   { type: image.write, from: small, path: "./small/${item.stem}.png" }
)");

  Status process(Context& ctx) override {
    const Image& large = ctx.get(image);
    const int n = static_cast<int>(ctx.option(factor));
    if (large.width() < n || large.height() < n) {
      return invalid("shrink.too_small", "the picture has " + std::to_string(large.width()) +
                                             " x " + std::to_string(large.height()) + " pixels");
    }
    auto small = ctx.allocate_image(large.width() / n, large.height() / n, large.channels());
    if (!small) return small.status();

    for (int y = 0; y < small->height(); ++y) {
      for (int i = 0; i < small->width() * small->channels(); ++i) {
        small->row(y)[i] = mean_of(large, i, y, n);
      }
    }
    ctx.emit(out, std::move(*small));
    return Status::ok();
  }

 private:
  // Of the n x n pixels that byte `i` of row `y` of the smaller picture stands for.
  static std::uint8_t mean_of(const Image& large, int i, int y, int n) {
    const int channels = large.channels();
    const int first = i / channels * n * channels + i % channels;
    int sum = 0;
    for (int row = y * n; row < (y + 1) * n; ++row) {
      for (int k = 0; k < n; ++k) sum += large.row(row)[first + k * channels];
    }
    return static_cast<std::uint8_t>((sum + n * n / 2) / (n * n));
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Shrink>();

}  // namespace
}  // namespace sluice
