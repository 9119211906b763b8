#pragma once

#include <opencv2/core.hpp>

#include <cstdint>
#include <vector>

namespace sluice::bench {

// A picture, blue-green-red as OpenCV has them, that compresses like a photo: shades that fall off
// with their frequency as those of nature do, edges of things before each other, colours that
// change more slowly than brightness, and a sensor's noise. The same for the same numbers.
cv::Mat photo(cv::Size size, std::uint32_t seed);

// The file of it: baseline, quality 90, colours at half the size, as cameras and most of the web's
// pictures have it.
std::vector<std::uint8_t> photo_file(cv::Size size, std::uint32_t seed);

}  // namespace sluice::bench
