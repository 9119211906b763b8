#pragma once

#include <array>
#include <string>
#include <vector>

namespace sluice {

// A position in pixels; x to the right, y down; (0,0) is the outer corner of the first pixel.
struct Point {
  float x = 0;
  float y = 0;
  friend bool operator==(const Point&, const Point&) = default;
};

// Four corners, clockwise from the one at the top left of the text, in pixels of the page.
struct Quad {
  std::array<Point, 4> corners;
  float score = 0;  // 0..1, how sure the detector is
};

// How a tensor made from a picture lies on it: picture = tensor position * scale + offset, per axis.
struct ImageMap {
  float scale_x = 1;
  float scale_y = 1;
  float offset_x = 0;
  float offset_y = 0;
  int image_width = 0;
  int image_height = 0;
};

// One line of text read off a picture.
struct TextLine {
  std::string text;  // UTF-8
  float score = 0;   // 0..1, mean over the characters
  Quad quad;
};

// One class with its share, from a classifier.
struct Detection {
  int class_id = 0;
  float score = 0;
  std::string label;  // empty where no labels were given
};

}  // namespace sluice
