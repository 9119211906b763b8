#pragma once

#include "sluice/core/geometry.h"
#include "sluice/core/image.h"

#include <opencv2/core.hpp>

// What the nodes that use OpenCV share. For .cpp files only.
namespace sluice {

// The image's pixels as OpenCV sees them, not copied. OpenCV has no read-only view: writing through
// it is right only for an image that was not emitted yet. Channels keep their order: RGB, not BGR.
inline cv::Mat view_of(const Image& image) {
  return {image.height(), image.width(), CV_8UC(image.channels()), image.row(0),
          image.stride_bytes()};
}

inline cv::Point2f to_opencv(const Point& point) { return {point.x, point.y}; }

// OpenCV brings threads of its own, and the pool's are all the threads there should be. For the
// whole process; call it in `open`.
inline void use_one_opencv_thread() { cv::setNumThreads(1); }

}  // namespace sluice
