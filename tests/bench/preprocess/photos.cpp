#include "tests/bench/preprocess/photos.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>
#include <random>

namespace sluice::bench {
namespace {

// The standard's distributions differ between libraries, its generator does not.
float uniform(std::mt19937& random) { return static_cast<float>(random() >> 8) / (1 << 24); }

cv::Mat noise(cv::Size size, int channels, std::mt19937& random) {
  cv::Mat values(size, CV_32FC(channels));
  for (int y = 0; y < size.height; ++y) {
    float* row = values.ptr<float>(y);
    for (int i = 0; i < size.width * channels; ++i) row[i] = uniform(random) - 0.5F;
  }
  return values;
}

// Noise in octaves, each of half the grain and `fall` of the strength of the one before.
cv::Mat octaves(cv::Size size, int channels, int least_grain, float fall, std::mt19937& random) {
  cv::Mat sum = cv::Mat::zeros(size, CV_32FC(channels));
  float strength = 1;
  for (int grain = size.width / 2; grain >= least_grain; grain /= 2, strength *= fall) {
    const cv::Size coarse(size.width / grain + 2, size.height / grain + 2);
    cv::Mat layer;
    cv::resize(noise(coarse, channels, random), layer, size, 0, 0, cv::INTER_CUBIC);
    sum += strength * layer;
  }
  return sum;
}

// Ellipses before each other, each in a shade of its own.
cv::Mat things(cv::Size size, std::mt19937& random) {
  cv::Mat shades = cv::Mat::zeros(size, CV_32FC3);
  for (int i = 0; i < 40; ++i) {
    const auto at = [&](int range) {
      return static_cast<int>(uniform(random) * static_cast<float>(range));
    };
    const cv::Point centre(at(size.width), at(size.height));
    const cv::Size axes(4 + at(size.width / 6), 4 + at(size.height / 6));
    const auto shade = static_cast<double>(uniform(random) - 0.5F);
    const auto tint = static_cast<double>(uniform(random) - 0.5F) / 4;
    cv::ellipse(shades, centre, axes, at(360), 0, 360, {shade + tint, shade, shade - tint},
                cv::FILLED, cv::LINE_8);
  }
  return shades;
}

}  // namespace

cv::Mat photo(cv::Size size, std::uint32_t seed) {
  std::mt19937 random(seed);
  cv::Mat brightness;
  cv::cvtColor(octaves(size, 1, 1, 0.80F, random), brightness, cv::COLOR_GRAY2BGR);
  const cv::Mat colours = octaves(size, 3, 8, 0.5F, random);
  cv::Mat blurred;
  cv::GaussianBlur(things(size, random), blurred, {3, 3}, 0.7);
  const cv::Mat sensor = noise(size, 3, random);
  cv::Mat picture;
  cv::Mat(0.5 * brightness + 0.25 * colours + 0.5 * blurred + 0.15 * sensor)
      .convertTo(picture, CV_8UC3, 200, 120);
  return picture;
}

std::vector<std::uint8_t> photo_file(cv::Size size, std::uint32_t seed) {
  std::vector<std::uint8_t> file;
  cv::imencode(".jpg", photo(size, seed), file, {cv::IMWRITE_JPEG_QUALITY, 90});
  return file;
}

}  // namespace sluice::bench
