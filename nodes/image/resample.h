#pragma once

#include "sluice/core/image.h"

namespace sluice {

// Scales `source` to the size of `target` with a triangle filter as wide as the reduction: what
// Pillow calls BILINEAR and torchvision bilinear with antialias. Columns first, then rows, 8 bits
// between the two, as Pillow does it. REQUIRES: both have the same number of channels; the target's
// pixels are nobody else's.
void resample_antialiased(const Image& source, Image& target);

}  // namespace sluice
